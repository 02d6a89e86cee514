"""Published intermediate results of Ciernik et al. (2025), turned into this project's formats.

`collect` reads a folder in the authors' layout and says what it took and what it left and why;
`choose` picks what makes a study; `import_writer` puts it below ``imports/``, from where the stages
``import@D`` and ``import_probes@D`` take the study's models and measures (`assemble`). What was not
published (standard errors, replicates, sample keys) is absent, never zero.
"""
