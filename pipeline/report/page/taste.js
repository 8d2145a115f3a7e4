"use strict";
// Search, like, dislike, and see what is recommended.

const FOUND = 6;
const RECOMMENDED = 10;
const NAMED = { likes: 2, dislikes: 1 };

if (data.model.titles) {
  const { titles, details, ratings } = data.model;
  const model = new Model(data.model);
  const taste = { likes: [], dislikes: [] };
  const at = (id) => document.getElementById(id);
  const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const searched = titles.map(plain);
  const known = ratings.map((_, item) => item).sort((a, b) => ratings[b] - ratings[a] || a - b);
  // What rounds to zero has no sign.
  const signed = (number) => {
    const text = Math.abs(number).toFixed(2);
    return Number(text) === 0 ? text : (number < 0 ? "−" : "+") + text;
  };

  const rate = (kind, item) => {
    const focus = focused();
    for (const list of Object.values(taste)) if (list.includes(item)) list.splice(list.indexOf(item), 1);
    if (kind) taste[kind].push(item);
    show();
    focusAgain(focus);
  };

  // The rows are made anew: whoever uses the keys goes on from the row that is now where theirs was.
  const focused = () => {
    const row = document.activeElement.closest("li");
    return { list: row?.parentElement, place: row && [...row.parentElement.children].indexOf(row), button: document.activeElement.className };
  };
  const focusAgain = ({ list, place, button }) => {
    const row = list?.children[Math.min(place, list.children.length - 1)];
    (row?.querySelector(button ? `button.${button}` : "button") ?? at("hint")).focus();
  };

  const thumbs = (item) => [
    element("button", { class: "like", "aria-label": `Like ${titles[item]}`, onclick: () => rate("likes", item) }, "Like"),
    element("button", { class: "dislike", "aria-label": `Dislike ${titles[item]}`, onclick: () => rate("dislikes", item) }, "Dislike"),
  ];

  // An empty place where others have one.
  const poster = (item) => {
    if (item in data.posters) return [element("img", { class: "poster", src: data.posters[item], alt: titles[item] })];
    return Object.keys(data.posters).length ? [element("span", { class: "poster" })] : [];
  };

  const named = (item) =>
    element("span", { class: "name" }, element("b", {}, titles[item]), element("small", {}, details[item]));

  // Titles that start so come first, then those in which a word does, then the others; among equals the most rated.
  function found(words) {
    const query = plain(words).trim();
    const order = (item) => {
      const place = searched[item].indexOf(query);
      if (place <= 0) return place === 0 ? 0 : 3;
      return /[\p{L}\p{N}]/u.test(searched[item][place - 1]) ? 2 : 1;
    };
    return known
      .filter((item) => !taste.likes.includes(item) && !taste.dislikes.includes(item))
      .map((item) => [order(item), item])
      .filter(([place]) => place < 3)
      .sort(([a], [b]) => a - b)
      .slice(0, FOUND)
      .map(([, item]) => item);
  }

  function showFound() {
    const items = found(at("search").value);
    const rows = items.map((item) => element("li", { "data-item": item }, ...poster(item), named(item), ...thumbs(item)));
    at("found").replaceChildren(...rows);
    at("nothing").hidden = items.length > 0;
  }

  function showTaste() {
    const chips = ["likes", "dislikes"].flatMap((kind) =>
      taste[kind].map((item) =>
        element(
          "li",
          { class: kind, "data-item": item },
          titles[item],
          element("button", { "aria-label": `Forget ${titles[item]}`, onclick: () => rate(null, item) }, "×"),
        ),
      ),
    );
    at("taste").replaceChildren(...chips);
    at("clear").hidden = chips.length === 0;
    at("hint").textContent = chips.length
      ? `Recommended to you, who rated ${chips.length}`
      : "Nothing liked yet: this is what everybody would see";
  }

  // Hundredths that add up to the score that is shown: each up or down, the largest fractions up.
  function rounded(values, score) {
    const scaled = values.map((value) => value * 100);
    const whole = scaled.map(Math.floor);
    const up = Math.round(Number(score.toFixed(2)) * 100) - whole.reduce((sum, value) => sum + value, 0);
    const order = [...whole.keys()].sort((a, b) => whole[a] - scaled[a] - (whole[b] - scaled[b]));
    for (const place of order.slice(0, up)) whole[place] += 1;
    return whole.map((value) => value / 100);
  }

  // What a contribution comes from. As pipeline/explain/words.py says it, which a test compares.
  function told({ cause, value, merged }, kind) {
    if (!cause) return "";
    if (cause.part === "overlap") return data.model.relations[cause.relation] + data.model.entities[cause.column];
    if (kind !== "likes" || value <= 0) return "";
    return { both: `often ${merged ? "rated" : "liked"} together`, vectors: "similar" }[cause.part] ?? "";
  }

  // Words, a title or none, a value and what it comes from. As pipeline/explain/sentence.py says it, which a test compares.
  function why(contributions, kind, because, inSpite) {
    if (!contributions.some(({ value }) => value)) return [];
    const total = (list) => list.reduce((sum, { value }) => sum + value, 0);
    const speaksFor = total(contributions) >= 0;
    const order = [...contributions].sort((a, b) => (speaksFor ? b.value - a.value : a.value - b.value));
    const rest = order.slice(NAMED[kind]);
    const pieces = order
      .slice(0, NAMED[kind])
      .map((one, number) => [
        number ? ", " : `${speaksFor ? because : inSpite} `,
        titles[one.item],
        one.value,
        told(one, kind),
      ]);
    if (rest.length) pieces.push([` and ${rest.length} ${rest.length === 1 ? "other" : "others"}`, "", total(rest), ""]);
    return pieces;
  }

  function sentence(item, score) {
    const { likes, dislikes, bias } = model.contributions(taste.likes, taste.dislikes, item);
    const clauses = [
      why(likes, "likes", "because you liked", "in spite of your liking"),
      why(dislikes, "dislikes", "because you disliked", "in spite of your disliking"),
      bias ? [["for anybody", "", bias, ""]] : [],
    ].filter((clause) => clause.length);
    const values = rounded(clauses.flat().map(([, , value]) => value), score);
    return clauses.flatMap((clause, place) =>
      clause.flatMap(([words, title, , cause], number) => [
        place && !number ? `; ${words}` : words,
        ...(title ? [element("b", {}, title)] : []),
        ` (${[signed(values.shift()), cause].filter(Boolean).join(", ")})`,
      ]),
    );
  }

  function showRecommended() {
    const scores = model.scores(taste.likes, taste.dislikes);
    const rated = new Set([...taste.likes, ...taste.dislikes]);
    const best = Array.from(scores.keys())
      .filter((item) => !rated.has(item))
      .sort((a, b) => scores[b] - scores[a] || a - b)
      .slice(0, RECOMMENDED);
    const rows = best.map((item) =>
      element(
        "li",
        { "data-item": item, "data-score": scores[item] },
        element("span", { class: "score" }, scores[item].toFixed(2)),
        ...poster(item),
        named(item),
        ...thumbs(item),
        element("p", { class: "why" }, ...sentence(item, scores[item])),
      ),
    );
    at("recommended").replaceChildren(...rows);
  }

  function show() {
    showFound();
    showTaste();
    showRecommended();
  }

  at("search").addEventListener("input", showFound);
  at("clear").addEventListener("click", () => {
    taste.likes = [];
    taste.dislikes = [];
    show();
    at("hint").focus();
  });
  show();
}
