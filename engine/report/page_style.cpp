#include "report/page_style.h"

#include <string>

namespace atelier {
namespace {

constexpr std::string_view colours = R"css(:root {
  --page: #f4f5f7; --card: #fff; --line: #d5dae1; --text: #1b1f24; --muted: #57606a; --link: #0b5cad; --focus: #0b5cad;
  --good: #17692f; --bad: #b3261e; --unsure: #7d5200; --good-back: #e3f4e7; --bad-back: #fbe6e4; --unsure-back: #fbf0d6;
  --quiet-back: #e9ecf0; --raw: #9db8d8; --curve: #0b5cad; --grid: #e3e7ec;
  --k0: #3b78d8; --k1: #d9822b; --k2: #2b9e77; --k3: #a855b5; --k4: #c2a30a; --k5: #58a6d6; --k6: #c0504d; --k7: #8a929c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1216; --card: #191d23; --line: #343b45; --text: #e6e9ee; --muted: #a3adb9; --link: #78b2f5; --focus: #9cc8ff;
    --good: #6fd18c; --bad: #ff8f86; --unsure: #e9bd55; --good-back: #14301d; --bad-back: #3d1715; --unsure-back: #352806;
    --quiet-back: #2a3038; --raw: #3d5878; --curve: #78b2f5; --grid: #272d35;
    --k0: #5b92e8; --k1: #e09a50; --k2: #45b58e; --k3: #bf77ca; --k4: #d0b53a; --k5: #77bbe4; --k6: #d3706d; --k7: #7d8590;
  }
}
)css";

constexpr std::string_view page = R"css(* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, "Segoe UI", "Noto Sans", sans-serif; }
header, main, footer { max-width: 1180px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 28px; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -9999px; }
.skip:focus { left: 12px; top: 12px; background: var(--card); padding: 8px 14px; z-index: 1; }
.over { margin: 0; color: var(--muted); }
h1 { margin: 2px 0 4px; font-size: 30px; line-height: 1.2; }
h1.good { color: var(--good); } h1.bad { color: var(--bad); } h1.unsure { color: var(--unsure); }
h2 { margin: 40px 0 12px; font-size: 21px; }
h3 { margin: 0; font-size: 18px; display: flex; gap: 10px; align-items: center; flex-wrap: wrap; overflow-wrap: anywhere; }
.detail { margin: 0 0 8px; font-size: 17px; }
.muted { color: var(--muted); margin: 2px 0 10px; }
.why { margin: 4px 0 8px; color: var(--bad); overflow-wrap: anywhere; }
code, pre { font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
pre { margin: 8px 0 0; padding: 12px; background: var(--page); border: 1px solid var(--line); border-radius: 6px; overflow: auto; max-height: 24em; }
footer { margin: 40px auto; color: var(--muted); border-top: 1px solid var(--line); }
nav ul { display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 10px 0; margin: 12px 0 0; list-style: none; border-bottom: 1px solid var(--line); }
.tiles { display: flex; flex-wrap: wrap; gap: 10px; margin: 16px 0 0; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 8px 16px; display: flex; flex-direction: column-reverse; }
.tiles dt { color: var(--muted); font-size: 13px; } .tiles dd { margin: 0; font-size: 20px; font-weight: 600; }
)css";

constexpr std::string_view parts =
    R"css(.card, .failure { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; margin: 0 0 16px; }
.failure { border-left: 5px solid var(--bad); }
.chip { display: inline-block; padding: 1px 9px; border-radius: 20px; font-size: 13px; font-weight: 600; white-space: nowrap; }
.chip.good { color: var(--good); background: var(--good-back); } .chip.bad { color: var(--bad); background: var(--bad-back); }
.chip.unsure { color: var(--unsure); background: var(--unsure-back); } .chip.quiet { color: var(--muted); background: var(--quiet-back); }
details { margin: 10px 0 0; } summary { cursor: pointer; font-weight: 600; padding: 3px 0; }
details.customer { margin: 0 0 6px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 8px 0 14px; }
caption { text-align: left; font-weight: 600; padding: 4px 0; white-space: nowrap; }
th, td { text-align: left; padding: 5px 14px 5px 0; border-top: 1px solid var(--line); vertical-align: top; font-weight: 400; overflow-wrap: anywhere; }
thead th { color: var(--muted); font-size: 13px; border-top: 0; overflow-wrap: normal; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.side-by-side { display: flex; flex-wrap: wrap; gap: 0 48px; }
.overview { min-width: min(100%, 640px); margin-bottom: 20px; }
.overview td:last-child { min-width: 180px; }
.pictures td, .pictures th { border-top: 0; padding: 0 10px 10px 0; }
.pictures tbody th { min-width: 110px; max-width: 190px; }
.pictures thead th { padding-bottom: 4px; max-width: 160px; }
.name { display: block; font-weight: 600; } .prompt, .note { display: block; color: var(--muted); font-size: 13px; } .prompt { font-style: italic; }
.picture, .gone { display: block; border-radius: 6px; height: auto; background: var(--quiet-back); }
.gallery .picture { width: 160px; } .strip .picture { width: 104px; }
.gone { width: 160px; min-height: 104px; border: 2px dashed var(--line); color: var(--muted); background: none; font-size: 13px; padding: 12px; display: flex; align-items: center; text-align: center; justify-content: center; }
.strip .gone { width: 104px; padding: 6px; }
.none { color: var(--muted); }
.definitions { position: absolute; }
.trainings { display: flex; flex-wrap: wrap; gap: 0 28px; }
.training { margin: 8px 0 14px; max-width: 100%; } .training p { margin: 0; }
.charts { display: flex; flex-wrap: wrap; gap: 6px 24px; }
.chart { margin: 6px 0; width: 340px; max-width: 100%; } .chart figcaption { font-size: 13px; color: var(--muted); }
svg text { font: 11px system-ui, sans-serif; fill: var(--muted); } svg .device { fill: var(--text); font-size: 12px; }
.grid { stroke: var(--grid); stroke-width: 1; } .raw, .line { fill: none; stroke-width: 1.6; stroke: var(--curve); } .raw { stroke: var(--raw); stroke-width: 1; }
.timeline { min-width: 720px; width: 100%; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; list-style: none; padding: 0; margin: 8px 0; }
.swatch { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; }
.k0 { fill: var(--k0); background: var(--k0); } .k1 { fill: var(--k1); background: var(--k1); } .k2 { fill: var(--k2); background: var(--k2); }
.k3 { fill: var(--k3); background: var(--k3); } .k4 { fill: var(--k4); background: var(--k4); } .k5 { fill: var(--k5); background: var(--k5); }
.k6 { fill: var(--k6); background: var(--k6); } .k7 { fill: var(--k7); background: var(--k7); }
rect.bad { stroke: var(--bad); stroke-width: 2; }
@media (max-width: 640px) { header, main, footer { padding-left: 12px; padding-right: 12px; } h1 { font-size: 24px; } .gallery .picture, .gallery .gone { width: 128px; } .pictures tbody th { min-width: 100px; max-width: 120px; } }
@media print { nav, .skip { display: none; } .card, .failure { break-inside: avoid; } }
)css";

}  // namespace

std::string_view page_style() {
  static const std::string all = std::string(colours) + std::string(page) + std::string(parts);
  return all;
}

}  // namespace atelier
