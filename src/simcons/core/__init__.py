"""What every room stands on: errors, files, paths, downloads, the store. Knows no study."""
