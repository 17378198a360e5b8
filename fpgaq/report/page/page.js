"use strict";
// Figures bring data and axes; colours come from the style sheet, which knows light and dark.
const charts = JSON.parse(document.getElementById("charts").textContent);

function themed(figure) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = (given) => ({
    ...given, gridcolor: colour("--line"), zerolinecolor: colour("--line"), linecolor: colour("--line"),
  });
  const layout = {
    ...figure.layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("--ink"), size: 12, family: "system-ui, sans-serif" },
    hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
    xaxis: axis(figure.layout.xaxis),
    yaxis: axis(figure.layout.yaxis),
    shapes: (figure.layout.shapes || []).map((s) => ({ ...s, line: { ...s.line, color: colour("--ink") } })),
  };
  return [figure.data, layout, { responsive: true, displayModeBar: false }];
}

function draw(place) {
  const choice = document.querySelector(`select[data-charts~="${place.dataset.chart}"]`);
  const figure = charts[place.dataset.chart][choice ? choice.selectedIndex : 0];
  Plotly.react(place, ...themed(figure));
}

const places = [...document.querySelectorAll("[data-chart]")];
const drawAll = () => places.forEach(draw);
drawAll();
document.querySelectorAll("select[data-charts]").forEach((choice) => choice.addEventListener("change", drawAll));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
