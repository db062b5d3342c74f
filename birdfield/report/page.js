"use strict";
document.documentElement.classList.add("js");

// Sort by data-sort, numbers from the largest; an empty value stays last.
for (const button of document.querySelectorAll("th button")) {
  const head = button.closest("th");
  const body = head.closest("table").tBodies[0];
  button.addEventListener("click", () => {
    const text = head.dataset.kind === "text";
    const falling = head.ariaSort ? head.ariaSort === "ascending" : !text;
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const key = (row) => row.cells[head.cellIndex].dataset.sort;
    const compare = (a, b) => text ? a.localeCompare(b) : a - b;
    const rows = [...body.rows].sort((a, b) => {
      const left = key(a), right = key(b);
      if (left === "" || right === "") return (left === "") - (right === "");
      return falling ? compare(right, left) : compare(left, right);
    });
    body.append(...rows);
  });
}

const choice = document.getElementById("map-species");
if (choice) {
  const map = document.getElementById("map");
  choice.addEventListener("change", () => {
    map.classList.toggle("chosen", choice.value !== "");
    for (const mark of map.querySelectorAll("[data-s]"))
      mark.classList.toggle("on", mark.dataset.s === choice.value);
  });
}

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
