// Parses every formula of the built reference with KaTeX; an error names the page.
//   npm install --no-save --prefix target/katex katex@0.19.1
//   NODE_PATH=target/katex/node_modules node docs/formulas.mjs target/doc/reparam
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";

const katex = createRequire(import.meta.url)("katex");
const root = process.argv[2] ?? "target/doc/reparam";
const named = { lt: "<", gt: ">", quot: '"', "#39": "'", "#x27": "'", amp: "&" };
const text = (html) => html.replace(/<[^>]*>/g, "").replace(/&(lt|gt|quot|#39|#x27|amp);/g, (_, name) => named[name]);

const kinds = [
    [true, /<pre class="[^"]*language-math[^"]*"[^>]*>([\s\S]*?)<\/pre>/g],
    [false, /\$<code>([\s\S]*?)<\/code>\$/g],
];
let count = { display: 0, inline: 0 }, wrong = 0, pages = 0;
for (const name of readdirSync(root, { recursive: true }).filter((name) => name.endsWith(".html"))) {
    const html = readFileSync(`${root}/${name}`, "utf8");
    pages += 1;
    for (const [displayMode, pattern] of kinds) {
        for (const [, source] of html.matchAll(pattern)) {
            count[displayMode ? "display" : "inline"] += 1;
            try {
                katex.renderToString(text(source), { displayMode, strict: "error" });
            } catch (error) {
                wrong += 1;
                console.error(`${name}: ${error.message}\n    ${text(source)}`);
            }
        }
    }
    // a dollar left next to a span of code is a formula that was not closed, or not begun
    for (const [found] of html.matchAll(/(?<!\$)<code>[^<]*<\/code>\$|\$<code>[^<]*<\/code>(?!\$)/g)) {
        wrong += 1;
        console.error(`${name}: a lone dollar at ${found}`);
    }
}
console.log(`${pages} pages, ${count.display} blocks, ${count.inline} spans, ${wrong} errors`);
process.exit(wrong > 0 || count.display === 0 || count.inline === 0 ? 1 : 0);
