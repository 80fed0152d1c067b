// SPDX-License-Identifier: MIT
#include "appliance/demo/pages.h"

#include <fmt/format.h>

#include "appliance/base/hash.h"

namespace headgate::demo {
namespace {

constexpr std::string_view kStyle = R"css(:root {
  --ink: #14232e; --soft: #5b6c78; --line: #dbe4ea; --paper: #f5f8fa; --card: #fff; --water: #0b6e99;
  color-scheme: light dark;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eff3; --soft: #93a6b3; --line: #263743; --paper: #0f1920; --card: #16232c; --water: #5cc0ea; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header, main, footer { max-width: 66rem; margin: 0 auto; padding: 0 1.5rem; }
header { display: flex; align-items: center; gap: .8rem; padding-top: 2.5rem; padding-bottom: 1.5rem; }
header img { width: 2.6rem; height: 2.6rem; }
h1 { font-size: 1.5rem; letter-spacing: -.02em; margin: 0; }
header p { margin: 0; color: var(--soft); }
.badge { margin-left: auto; padding: .3rem .8rem; border-radius: 2rem; background: var(--water); color: var(--paper); font-weight: 600; }
.grid { display: grid; gap: 1.2rem; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); padding: 0; list-style: none; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .9rem; overflow: hidden; }
.card img { display: block; width: 100%; aspect-ratio: 16 / 10; object-fit: cover; }
.card div { padding: 1rem 1.1rem 1.2rem; }
.card h2 { font-size: 1.05rem; margin: 0 0 .2rem; }
.card p { margin: 0; color: var(--soft); font-size: .93rem; }
.price { display: block; margin-top: .8rem; font-size: 1.25rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.edge { background: var(--card); border: 1px solid var(--line); border-radius: .9rem; padding: 1.1rem 1.3rem; margin: 1.6rem 0; }
.edge h2 { font-size: 1rem; margin: 0 0 .6rem; display: flex; align-items: baseline; gap: 1rem; }
.edge button { margin-left: auto; font: inherit; font-size: .9rem; padding: .3rem .9rem; border-radius: .5rem; border: 1px solid var(--line); background: none; color: var(--water); cursor: pointer; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: 0; font-size: .93rem; }
dt { color: var(--soft); } dd { margin: 0; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
footer { padding-top: .5rem; padding-bottom: 3rem; color: var(--soft); font-size: .93rem; }
footer a { color: var(--water); margin-right: 1rem; }
)css";

constexpr std::string_view kScript = R"js('use strict';
const shown = [
  ['cache-status', 'Cache-Status'], ['age', 'Age'], ['x-cache', 'X-Cache'],
  ['headgate-generation', 'Headgate-Generation'], ['x-demo-origin', 'origin'],
  ['x-demo-served', 'requests that reached it'], ['cache-control', 'Cache-Control'], ['etag', 'ETag'],
];
async function refresh() {
  const list = document.querySelector('#answer');
  const row = (name, value) => {
    const dt = document.createElement('dt'), dd = document.createElement('dd');
    dt.textContent = name; dd.textContent = value;
    list.append(dt, dd);
  };
  try {
    const started = performance.now();
    const response = await fetch('/api/products', { cache: 'no-store' });
    const text = await response.text();
    list.replaceChildren();
    row('GET /api/products', `${response.status} in ${(performance.now() - started).toFixed(1)} ms`);
    for (const [field, name] of shown) {
      if (response.headers.has(field)) row(name, response.headers.get(field));
    }
    if (!response.ok) return;
    const body = JSON.parse(text);
    row('priced at', body.priced_at);
    document.querySelector('.badge').textContent = body.origin;
    for (const product of body.products) {
      document.querySelector(`[data-price="${product.id}"]`).textContent = `€ ${product.price}`;
    }
  } catch (error) {
    list.replaceChildren();
    row('GET /api/products', String(error));
  }
}
document.querySelector('#refresh').addEventListener('click', refresh);
refresh();
setInterval(refresh, 2000);
)js";

constexpr std::string_view kIcon =
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 64 64'><rect width='64' height='64' "
    "rx='14' "
    "fill='#0b6e99'/><path d='M18 50V16M46 50V16M18 24h28M18 38c5-4 9 4 14 0s9 4 14 0' fill='none' "
    "stroke='#fff' stroke-width='5' stroke-linecap='round'/></svg>\n";

std::string head(std::string_view title) {
  return fmt::format(R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{}</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/shop.css?v={:08x}">
</head>
)html",
                     title, base::crc32c(kStyle));
}

std::string card(const Product& product, std::int64_t slot) {
  const int cents = price_cents(product, slot);
  return fmt::format(
      R"html(<li class="card"><img src="/images/{0}.svg" alt="" width="320" height="200"><div>
<h2>{1}</h2><p>{2}</p><span class="price" data-price="{0}">€ {3}.{4:02}</span></div></li>
)html",
      product.id, escape_html(product.name), escape_html(product.text), cents / 100, cents % 100);
}

}  // namespace

std::string shop_html(std::string_view origin, std::int64_t slot) {
  std::string cards;
  for (const Product& product : products()) cards += card(product, slot);
  return head("The Lock Shop") + fmt::format(R"html(<body>
<header><img src="/favicon.svg" alt=""><div><h1>The Lock Shop</h1><p>Things for canals, rivers and gardens</p></div>
<span class="badge">{}</span></header>
<main>
<section class="edge"><h2>What the edge says <button id="refresh">Ask again</button></h2><dl id="answer"></dl></section>
<ul class="grid">
{}</ul>
</main>
<footer><p>Prices change every five seconds; a cached answer keeps the old ones until it is stale.</p>
<p><a href="/api/products">products</a><a href="/headers">headers</a><a href="/slow?ms=1500">slow</a><a href="/flaky">flaky</a><a href="/fail?status=503">fail</a><a href="/large?mb=8">large</a><a href="/down?seconds=10">down for 10 s</a></p></footer>
<script src="/assets/shop.js?v={:08x}"></script>
</body>
</html>
)html",
                                             escape_html(origin), cards, base::crc32c(kScript));
}

std::string not_found_html(std::string_view origin) {
  return head("Not here") + fmt::format(R"html(<body>
<header><img src="/favicon.svg" alt=""><div><h1>Not here</h1><p>The shop has no such page.</p></div>
<span class="badge">{}</span></header>
<main><p><a href="/">Back to the shop</a></p></main>
</body>
</html>
)html",
                                        escape_html(origin));
}

std::string product_svg(const Product& product) {
  return fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 320 200' role='img'>"
      "<title>{0}</title><defs><linearGradient id='g' x2='1' y2='1'>"
      "<stop stop-color='hsl({1} 55% 62%)'/><stop offset='1' stop-color='hsl({2} 60% 34%)'/>"
      "</linearGradient></defs><rect width='320' height='200' fill='url(#g)'/>"
      "<path d='M0 168c54-22 106 22 160 0s106 22 160 0v32H0z' fill='#fff' opacity='.14'/>"
      "<g transform='translate(70 8) scale(.9)' fill='none' stroke='#fff' stroke-width='7' "
      "stroke-linecap='round' stroke-linejoin='round'>{3}</g></svg>\n",
      escape_html(product.name), product.hue, (product.hue + 40) % 360, product.shape);
}

std::string_view style_css() { return kStyle; }
std::string_view shop_js() { return kScript; }
std::string_view favicon_svg() { return kIcon; }

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

}  // namespace headgate::demo
