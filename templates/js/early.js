// @ts-check
// Before the page is laid out: what needs no script is not drawn first and then hidden.
document.documentElement.classList.add("live");
