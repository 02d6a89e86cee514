"use strict";
// Sorting of tables: a button in every heading, numbers by data-value, absent values last.
(() => {
  const keyOf = (row, k, numeric) => {
    const cell = row.cells[k];
    if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
    return numeric || cell.classList.contains("absent") ? null : cell.textContent;
  };
  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  };
  const sortBy = (table, k) => {
    const heads = [...table.tHead.rows[0].cells];
    const ascending = heads[k].getAttribute("aria-sort") !== "ascending";
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[k].setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const body = table.tBodies[0];
    const numeric = heads[k].classList.contains("n");
    const rows = [...body.rows].map((row) => [keyOf(row, k, numeric), row]);
    rows.sort((x, y) => compare(x[0], y[0], ascending ? 1 : -1));
    body.append(...rows.map((entry) => entry[1]));
  };
  // A row stays if it holds every word typed, in any order and case.
  const addFilter = (table) => {
    const rows = [...table.tBodies[0].rows], region = table.parentElement;
    if (rows.length < 8) return;
    const line = document.createElement("label"), field = document.createElement("input");
    const told = document.createElement("span");
    line.className = "find";
    field.type = "search";
    told.setAttribute("role", "status");
    const caption = document.getElementById(region.getAttribute("aria-labelledby"));
    field.setAttribute("aria-label", `Rows of “${caption.textContent}” with`);
    line.append("Rows with ", field, told);
    region.before(line);
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let kept = 0;
      for (const row of rows) {
        const text = [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        kept += !row.hidden;
      }
      told.textContent = words.length ? `${kept} of ${rows.length}` : "";
    });
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    addFilter(table);
    [...table.tHead.rows[0].cells].forEach((head, k) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sortBy(table, k));
    });
  }
})();

// Figures of one measure at a time; figures that show every measure always stay.
(() => {
  const choice = document.getElementById("measure-switch");
  if (!choice) return;
  const show = () => {
    for (const figure of document.querySelectorAll("figure[data-measure]")) {
      figure.hidden = choice.value !== "" && figure.dataset.measure !== choice.value;
    }
    document.getElementById("measure-printed").textContent = choice.selectedOptions[0].textContent.trim();
  };
  choice.addEventListener("change", show);
  show();
})();

// What is folded on the screen is printed, and folded again.
(() => {
  const folded = () => [...document.querySelectorAll("details:not([open])")];
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = folded();
    for (const part of opened) part.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const part of opened) part.open = false;
  });
})();
