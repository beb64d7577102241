/** The style sheet of drill reports: light and dark by the reader's own setting, and black on white on paper. */

/** Colours by name; a plot tells its parts apart by shape or place as well. */
const LIGHT = `
--ground:#ffffff;--raised:#f6f8fa;--lane:#f6f8fa;--line:#d5dbe1;--grid:#e3e8ed;--text:#1c2530;--quiet:#55616f;
--good:#1a7f4b;--good-ground:#dcf3e5;--bad:#b42318;--bad-ground:#fde5e2;--wait:#8a5a00;--wait-ground:#fdf0d2;
--nodes:#2f6fb7;--nodes-all:#c3d7ee;--pods:#0f8577;--pods-all:#b6e0da;--master:#6d4fb8;--pending:#b7791f;--work:#5a8fc4;
--hatch:#d6493a;--hatch-ground:rgba(214,73,58,.09);--fault:#c2372a;--on-fault:#ffffff;--phase:#e3e8ed;--phase-alt:#d3dbe3;--accent:#2f6fb7`;
const DARK = `
--ground:#11161c;--raised:#19212a;--lane:#171e26;--line:#303b47;--grid:#28323d;--text:#e4e9ef;--quiet:#9aa7b5;
--good:#5fd297;--good-ground:#12392a;--bad:#ff8a7d;--bad-ground:#4a1c19;--wait:#f0bd5b;--wait-ground:#3f3012;
--nodes:#5b9be0;--nodes-all:#27415e;--pods:#38b6a5;--pods-all:#1d4a46;--master:#a58bec;--pending:#d99d43;--work:#5b93cc;
--hatch:#ff7364;--hatch-ground:rgba(255,115,100,.11);--fault:#c9483b;--on-fault:#ffffff;--phase:#28323d;--phase-alt:#34404d;--accent:#7db4ee`;

export const PAGE_STYLE = `
:root{color-scheme:light dark;${LIGHT}}
@media (prefers-color-scheme:dark){:root{${DARK}}}
@media print{:root{color-scheme:light;${LIGHT}}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1180px;margin:0 auto;padding:28px 24px 64px}
h1{font-size:26px;line-height:1.2;margin:0;overflow-wrap:anywhere}
h2{font-size:18px;margin:40px 0 12px;line-height:1.3}
h3{font-size:15px;margin:20px 0 8px}
p{margin:0 0 10px;max-width:85ch}
.quiet,caption,.unit{color:var(--quiet)}
.verdict{display:flex;gap:16px;align-items:flex-start;border:1px solid var(--line);border-left:6px solid var(--good);border-radius:8px;padding:18px 20px;background:var(--raised)}
.verdict.failed{border-left-color:var(--bad)}.verdict.error{border-left-color:var(--wait)}
.verdict>div{min-width:0}
.stamp{flex:none;font-weight:700;letter-spacing:.04em;text-transform:uppercase;font-size:13px;padding:4px 10px;border-radius:5px;margin-top:3px;background:var(--good-ground);color:var(--good)}
.failed .stamp{background:var(--bad-ground);color:var(--bad)}.error .stamp{background:var(--wait-ground);color:var(--wait)}
.why{font-size:16px;margin:8px 0 0;overflow-wrap:anywhere}
.description{color:var(--quiet);margin:8px 0 0}
dl.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(136px,1fr));gap:12px 20px;margin:20px 0 0}
.facts dt{color:var(--quiet);font-size:13px}.facts dd{margin:0;font-weight:600;overflow-wrap:anywhere}
nav{display:flex;flex-wrap:wrap;gap:4px 18px;margin:20px 0 0;font-size:14px}
a{color:var(--accent)}
.timeline{display:grid;grid-template-columns:104px minmax(0,1fr);border:1px solid var(--line);border-radius:8px;padding:12px 12px 8px;overflow:hidden}
.timeline svg{display:block}
.scroll{overflow-x:auto;overflow-y:hidden}
.scroll .plot{min-width:560px}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:var(--text)}
svg text.axis,svg text.row,svg text.unit,svg text.scale{fill:var(--quiet);font-size:11px;font-variant-numeric:tabular-nums}
svg text.scale{text-anchor:end;font-size:10px}
svg text.zone{font-weight:700;font-size:12.5px}
svg.free{overflow:visible}
.grid{stroke:var(--grid)}.grid.zero{stroke:var(--fault);stroke-dasharray:2 3}
.lane{fill:var(--lane)}
.hatched{fill:url(#hatch)}.hatch-ground{fill:var(--hatch-ground)}.hatch-line{fill:var(--hatch);opacity:.2}
.phase{fill:var(--phase)}.phase.bad{fill:var(--bad-ground)}.phase{stroke:var(--ground)}
.step circle{fill:var(--ground);stroke:var(--quiet)}.step text{font-size:11px;font-weight:600}
.step.bad circle{fill:var(--bad-ground);stroke:var(--bad)}
.fault{fill:var(--fault)}svg text.on-fault{fill:var(--on-fault);font-size:11px;font-weight:600}svg text.beside{font-size:11px;fill:var(--text)}
.nodes.all{fill:var(--nodes-all)}.nodes.ready{fill:var(--nodes)}.pods.all{fill:var(--pods-all)}.pods.ready{fill:var(--pods)}
.edge{fill:none;stroke-width:1}.nodes.edge{stroke:var(--nodes)}.pods.edge{stroke:var(--pods)}
.pending.ready{fill:var(--pending)}
.base{stroke:var(--line);fill:none}
.master{fill:var(--master)}.down{fill:var(--bad)}.api{fill:var(--good)}
.workload.ready{fill:var(--work)}.workload.edge{stroke:var(--nodes);stroke-width:1.5}
.deficit{fill:var(--bad);opacity:.75}
.minimum{stroke:var(--text);stroke-dasharray:5 4;stroke-width:1.2}
.mark path,.mark circle{fill:var(--text)}.mark text{font-size:11px;font-weight:600}
.mark.launch path,.mark.in-service circle{fill:var(--good)}.mark.termination path{fill:var(--quiet)}
.mark path.stroke{fill:none;stroke:var(--bad);stroke-width:2.4;stroke-linecap:round}
.mark.master-back path{fill:var(--master)}.mark path.outline{fill:var(--ground);stroke:var(--bad);stroke-width:2}
.mark.repair path{fill:var(--wait)}
.leader{fill:none;stroke:var(--quiet);stroke-width:.8}
.cursor{stroke:var(--text);stroke-width:1;pointer-events:none}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;list-style:none;padding:0;margin:10px 0 0;font-size:13px;color:var(--quiet)}
.legend li{display:inline-flex;align-items:center;gap:6px}
.zoom{display:none;gap:6px;align-items:center;font-size:13px;color:var(--quiet);margin:0 0 8px;justify-content:flex-end}
.live .zoom{display:flex}
button{font:inherit;font-size:13px;border:1px solid var(--line);background:var(--raised);color:var(--text);border-radius:5px;padding:2px 10px;cursor:pointer}
button[aria-pressed=true]{border-color:var(--accent);box-shadow:inset 0 0 0 1px var(--accent)}
.readout{display:none;font-size:13px;font-variant-numeric:tabular-nums;color:var(--quiet);min-height:3em;margin:8px 0 0}
.live .readout{display:block}
.readout b{color:var(--text)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
caption{text-align:left;font-size:13px;padding:0 0 8px}
th,td{text-align:left;padding:7px 12px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}
thead th{font-size:13px;color:var(--quiet);font-weight:600;white-space:nowrap;vertical-align:bottom}
tbody th{font-weight:600;overflow-wrap:anywhere;min-width:150px}
td{overflow-wrap:anywhere}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.none{color:var(--quiet)}.alarm{color:var(--bad);font-weight:700}
.chip{display:inline-block;font-size:12.5px;font-weight:600;border-radius:4px;padding:1px 8px;white-space:nowrap;background:var(--phase);color:var(--text)}
.chip.good{background:var(--good-ground);color:var(--good)}.chip.bad{background:var(--bad-ground);color:var(--bad)}.chip.wait{background:var(--wait-ground);color:var(--wait)}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr));gap:14px;margin:18px 0 0}
.card{margin:0;border:1px solid var(--line);border-radius:8px;padding:12px 14px 10px;min-width:0}
.card.bad{border-color:var(--bad)}
.card figcaption{display:flex;flex-wrap:wrap;gap:2px 8px;align-items:baseline;margin-bottom:8px;overflow-wrap:anywhere}
.card figcaption b{min-width:0}.card .chip{margin-left:auto}
.card .quiet{font-size:13px}.card p{margin:4px 0 0}
ol.story{list-style:none;padding:0;margin:0;font-size:14px}
.story li{display:grid;grid-template-columns:76px 18px minmax(0,1fr);gap:0 6px;padding:3px 0}
.story time{text-align:right;font-variant-numeric:tabular-nums;color:var(--quiet)}
.story .sign{text-align:center;font-weight:700}.story .bad .sign{color:var(--bad)}
.story .step{color:var(--quiet)}
details{border:1px solid var(--line);border-radius:8px;padding:0 14px;margin:10px 0}
summary{cursor:pointer;padding:10px 0;font-weight:600}
details[open]{padding-bottom:12px}
.filter{display:none;gap:8px;flex-wrap:wrap;align-items:center;margin:0 0 10px}
.live .filter{display:flex}
input{font:inherit;font-size:14px;color:var(--text);background:var(--ground);border:1px solid var(--line);border-radius:5px;padding:4px 10px;width:min(340px,100%)}
.events td,.events th{font-size:13px;padding:4px 12px 4px 0}
.events tr[hidden]{display:none}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
footer{margin-top:48px;color:var(--quiet);font-size:13px}
@media (max-width:640px){
main{padding:16px 14px 40px}h1{font-size:21px}.verdict{flex-direction:column;gap:8px;padding:14px}.timeline{padding:10px 0 6px 10px}.scroll .plot{min-width:720px}
.story li{grid-template-columns:62px 14px minmax(0,1fr)}
}
@media print{
body{font-size:11px}main{max-width:none;padding:0}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
nav,.zoom,.readout,.filter,.live .zoom,.live .readout,.live .filter{display:none}.scroll,.wide{overflow:visible}.scroll .plot{min-width:0;width:100%!important}
.card,tr,.story li,.timeline{break-inside:avoid}h2,h3{break-after:avoid}a{color:inherit;text-decoration:none}
}
`;
