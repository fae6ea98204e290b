"""How the auditor's page looks, on a screen and on paper. `page` puts it in and names its hash in the policy."""

from __future__ import annotations

STYLE = """
:root{--ink:#17202a;--soft:#5b6875;--line:#d8dee5;--pale:#f5f7f9;--paper:#fff;--good:#0f6b3a;--good-pale:#e7f4ec;
--bad:#a3142b;--bad-pale:#fbe9ec;--open:#7a5300;--open-pale:#fbf3df;--info:#2b5797;--info-pale:#e9f0f9}
*{box-sizing:border-box}
body{margin:0;background:var(--pale);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:68rem;margin:2rem auto;background:var(--paper);border:1px solid var(--line);border-radius:.75rem;
padding:2.5rem 3rem}
header{display:flex;justify-content:space-between;gap:2rem;align-items:flex-start;border-bottom:2px solid var(--ink);
padding-bottom:1.25rem}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .25rem}
h2{font-size:1.1rem;margin:2.25rem 0 .75rem;padding-bottom:.3rem;border-bottom:1px solid var(--line)}
p{margin:.4rem 0}.soft{color:var(--soft)}
code{font:.78em/1.4 ui-monospace,"SF Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
pre{background:var(--pale);border:1px solid var(--line);border-radius:.5rem;padding:.8rem 1rem;white-space:pre-wrap;
overflow-wrap:anywhere;margin:.5rem 0}
.stamp{border:3px solid;border-radius:.6rem;padding:.5rem 1.1rem;text-align:center;font-weight:700;font-size:1.25rem;
letter-spacing:.04em;white-space:nowrap}
.stamp small{display:block;font-size:.72rem;font-weight:500;letter-spacing:0}
.clean,.held{color:var(--good)}.findings,.broken{color:var(--bad)}.incomplete,.not{color:var(--open)}
.info{color:var(--info)}
.lead{font-size:1.05rem;margin:1.1rem 0}
.tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:.75rem;margin:1.25rem 0}
.tile{border:1px solid var(--line);border-radius:.6rem;padding:.7rem .9rem}
.tile b{display:block;font-size:1.35rem;line-height:1.25;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:.82rem}
.checks{display:grid;grid-template-columns:1fr 1fr;gap:.4rem .75rem;margin:0;padding:0;list-style:none}
.check{display:grid;grid-template-columns:2rem 1fr auto;gap:.6rem;align-items:baseline;border:1px solid var(--line);
border-left-width:5px;border-radius:.4rem;padding:.4rem .7rem}
.check .no{color:var(--soft);font-variant-numeric:tabular-nums;text-align:right}
.check small{display:block;color:var(--soft)}
.check.held{border-left-color:var(--good)}.check.broken{border-left-color:var(--bad);background:var(--bad-pale)}
.check.not{border-left-color:#c9a24a}.check.info{border-left-color:var(--info)}
.check p{margin:0;color:var(--ink)}
.mark{font-weight:650;white-space:nowrap;font-size:.88rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.32rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600;font-size:.8rem;border-bottom:1px solid var(--ink)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr.bad td{background:var(--bad-pale)}
.facts th{width:15rem;border-bottom:1px solid var(--line)}
.bar{width:100%;height:4.6rem}.bar text{font:13px system-ui,sans-serif;fill:#17202a}
.sign{display:grid;grid-template-columns:2fr 1fr 2fr;gap:2rem;margin-top:3.5rem}
.sign div{border-top:1px solid var(--ink);padding-top:.3rem;color:var(--soft);font-size:.82rem}
footer{margin-top:2rem;border-top:1px solid var(--line);padding-top:.75rem;color:var(--soft);font-size:.82rem}
@media(max-width:48rem){main{margin:0;border:0;padding:1.25rem}header{display:block}.stamp{margin-top:1rem}
.tiles{grid-template-columns:1fr 1fr}.checks{grid-template-columns:1fr}.wide{overflow-x:auto}}
@page{size:A4;margin:16mm 14mm}
@media print{body{background:#fff;font-size:10.5px}main{max-width:none;margin:0;border:0;padding:0}
h2{break-after:avoid;margin-top:1.4rem}tr,.check,.tile,pre{break-inside:avoid}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""
