// Elements of the page, made without any HTML text: what a file is named can never become markup.

export const byId = (id) => document.getElementById(id);

/** make("p", {class: "small"}, "text", other, …) */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}
