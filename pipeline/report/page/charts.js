"use strict";
// Draws every chart at its place, with one tooltip for all of them.

const data = JSON.parse(document.getElementById("data").textContent);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

const tip = element("div", { class: "tip", role: "status", hidden: "" });
document.body.append(tip);

function showTip(handler, event, item, value) {
  tip.hidden = value === null || value === undefined || value === "";
  if (tip.hidden) return;
  tip.replaceChildren();
  for (const [key, text] of Object.entries(value)) {
    if (text === "") continue;
    if (key === "title") tip.append(element("strong", {}, String(text)));
    else if (key === "details") tip.append(element("div", {}, String(text)));
    else tip.append(element("div", {}, element("span", {}, key), ` ${text}`));
  }
  const box = tip.getBoundingClientRect();
  const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - box.width - 8);
  const below = event.clientY + 16;
  const top = below + box.height > window.innerHeight ? event.clientY - box.height - 12 : below;
  tip.style.transform = `translate(${Math.max(left, 8)}px, ${top}px)`;
}

const options = { mode: "vega", renderer: "svg", actions: false, defaultStyle: false, hover: true, tooltip: showTip };
const views = {};
for (const place of document.querySelectorAll("[data-chart]")) {
  const name = place.dataset.chart;
  vegaEmbed(place, data.charts[name], options).then(({ view }) => (views[name] = view));
}
document.addEventListener("scroll", () => (tip.hidden = true), { passive: true });

for (const button of document.querySelectorAll("[data-genre]")) {
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    for (const other of document.querySelectorAll("[data-genre]"))
      other.setAttribute("aria-pressed", String(on && other === button));
    views.map.signal("shown", on ? button.dataset.genre : "").runAsync();
  });
}
