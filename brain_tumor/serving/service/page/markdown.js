// The model card, which is Markdown: headings, paragraphs, quotes, lists, tables, code and bold text.

import { make } from "./elements.js";

export function render(text) {
  const lines = text.replace(/^---\n[\s\S]*?\n---\n/, "").split("\n");
  const blocks = [];
  let at = 0;
  const take = (holds) => {
    const taken = [];
    while (at < lines.length && holds(lines[at])) taken.push(lines[at++]);
    return taken;
  };
  while (at < lines.length) {
    const line = lines[at];
    const heading = line.match(/^(#+)\s+(.*)/);
    if (!line.trim()) at++;
    else if (heading) {
      blocks.push(make("h3", {}, heading[2]));
      at++;
    } else if (line.startsWith("```")) {
      at++;
      blocks.push(make("pre", {}, take((each) => !each.startsWith("```")).join("\n")));
      at++;
    } else if (line.startsWith("> ")) {
      blocks.push(make("blockquote", {}, ...inline(take((each) => each.startsWith(">")).map((each) => each.slice(2)).join(" "))));
    } else if (line.startsWith("|")) blocks.push(table(take((each) => each.startsWith("|"))));
    else if (/^[-*] /.test(line)) {
      const items = take((each) => /^([-*] |\s+\S)/.test(each)).join("\n").split(/\n(?=[-*] )/);
      blocks.push(make("ul", {}, ...items.map((item) => make("li", {}, ...inline(item.slice(2))))));
    } else {
      const text = take((each) => each.trim() && !/^(#|```|\||>|[-*] )/.test(each));
      if (text.length) blocks.push(make("p", {}, ...inline(text.join(" "))));
      else at++;
    }
  }
  return blocks;
}

function table(lines) {
  const rows = lines.filter((line) => !/^\|[\s:|-]+\|?$/.test(line)).map((line) => line.replace(/^\||\|\s*$/g, "").split("|"));
  const row = (cells, tag) => make("tr", {}, ...cells.map((cell) => make(tag, {}, ...inline(cell.trim()))));
  return make("table", {}, make("thead", {}, row(rows[0], "th")), make("tbody", {}, ...rows.slice(1).map((cells) => row(cells, "td"))));
}

function inline(text) {
  return text.split(/(\*\*[^*]+\*\*|`[^`]+`)/).map((part) => {
    if (part.startsWith("**")) return make("b", {}, part.slice(2, -2));
    if (part.startsWith("`")) return make("code", {}, part.slice(1, -1));
    return part;
  });
}
