import type { Entry, Results, WorkloadResult } from "./results.ts";
import { formatNumber } from "./table.ts";

const COLUMNS = 2;
const PANEL_WIDTH = 530;
const LABEL_WIDTH = 212;
const VALUE_WIDTH = 110;
const BAR_WIDTH = PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH;
const BAR_HEIGHT = 13;
const ROW_HEIGHT = 19;
const TITLE_HEIGHT = 26;
const GAP = 28;
const FOOT_HEIGHT = 26;

/** Colours for a light page and a dark one; the background is the page's. */
const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 13px }
.note { fill: #57606a; font-size: 11px }
.rollcall { fill: #0969da } .limit { fill: #d0d7de } .other { fill: #8c959f }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .note { fill: #9198a1 }
  .rollcall { fill: #4493f8 } .limit { fill: #3d444d } .other { fill: #767e88 }
}`;

/**
 * Draws the rates of a run as SVG: a panel for each workload, with a bar for each contestant. The longest bar is the
 * fastest.
 */
export function drawChart({ workloads, machine, startedAt }: Results): string {
  const charted = workloads.filter((workload) => rateOf(workload) !== undefined);
  const columns = Array.from({ length: COLUMNS }, () => ({ height: 0, panels: [] as string[] }));
  for (const workload of charted) {
    const column = columns.toSorted((a, b) => a.height - b.height)[0];
    if (!column) throw new Error("there are no columns");
    const x = columns.indexOf(column) * (PANEL_WIDTH + GAP);
    column.panels.push(`<g transform="translate(${x} ${column.height})">${drawPanel(workload)}</g>`);
    column.height += TITLE_HEIGHT + workload.entries.length * ROW_HEIGHT + GAP;
  }
  const width = COLUMNS * PANEL_WIDTH + (COLUMNS - 1) * GAP;
  const height = Math.max(...columns.map((column) => column.height)) + FOOT_HEIGHT;
  const note = `${machine.cpu}, one core for each server, Node.js ${machine.versions.node}, ${startedAt.slice(0, 10)}. A second, medians; in brackets, the ratio to bare node:http2.`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    "<title>Rollcall beside other servers</title>",
    `<style>${STYLE}</style>`,
    ...columns.flatMap((column) => column.panels),
    `<text class="note" x="0" y="${height - 8}">${escapeXml(note)}</text>`,
    "</svg>\n",
  ].join("\n");
}

function drawPanel(workload: WorkloadResult): string {
  const rate = rateOf(workload) ?? "";
  const medianOf = (entry: Entry) => entry.values[rate]?.median ?? 0;
  const most = Math.max(...workload.entries.map(medianOf));
  const unit = workload.metrics.find(({ name }) => name === rate)?.unit ?? "";
  const rows = workload.entries.map((entry, index) => {
    const y = TITLE_HEIGHT + index * ROW_HEIGHT;
    const value = medianOf(entry);
    const width = Math.max(1, (value / most) * BAR_WIDTH);
    const ratio = entry.ofHttp2 === undefined ? "" : ` (${entry.ofHttp2.toFixed(2)})`;
    return [
      `<text x="${LABEL_WIDTH - 8}" y="${y + BAR_HEIGHT - 2}" text-anchor="end">${escapeXml(entry.label)}</text>`,
      `<rect class="${classOf(entry)}" x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="2"/>`,
      `<text class="note" x="${(LABEL_WIDTH + width + 6).toFixed(1)}" y="${y + BAR_HEIGHT - 2}">${formatNumber(value, 0)}${ratio}</text>`,
    ].join("");
  });
  return [`<text class="title" x="0" y="14">${escapeXml(`${workload.title}: ${unit}`)}</text>`, ...rows].join("\n");
}

function rateOf({ metrics }: WorkloadResult): string | undefined {
  return metrics.find(({ isRate }) => isRate)?.name;
}

function classOf({ contestant }: Entry): string {
  const name = contestant.replace(/^client-/, "");
  if (name.startsWith("rollcall")) return "rollcall";
  return name.startsWith("bare") ? "limit" : "other";
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
