"use strict";
// The model: scores of a person who likes and dislikes some items. pipeline/report/browser_model.py has the formulas.

// Of a contribution, from which the graph is named as its reason. As pipeline/explain/causes.py has it.
const TELLING = 1 / 3;

function unpacked({ type, data }) {
  const letters = atob(data);
  const bytes = new Uint8Array(letters.length);
  for (let place = 0; place < bytes.length; place++) bytes[place] = letters.charCodeAt(place);
  if (type === "float32") return new Float32Array(bytes.buffer);
  if (type === "uint32") return new Uint32Array(bytes.buffer);
  const numbers = new Uint16Array(bytes.buffer);
  return type === "float16" ? Float32Array.from(numbers, (bits) => HALVES[bits]) : numbers;
}

// What 16 bits stand for in half precision, which only the newest browsers have numbers of. No infinity is among a model's.
const HALVES = Float32Array.from({ length: 2 ** 16 }, (_, bits) => {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction;
  return bits >> 15 ? -size : size;
});

class Model {
  constructor(data) {
    this.arrays = {};
    for (const [name, packed] of Object.entries(data.arrays)) this.arrays[name] = unpacked(packed);
    this.exponents = data.exponents;
    this.weights = data.weights;
    [this.count, this.width] = data.arrays.items.shape;
    this.features = data.arrays.features ? data.arrays.features.shape[1] : 0;
    this.several = Object.keys(this.weights).length + Object.keys(this.exponents).filter((name) => name.includes(".")).length > 0;
  }

  // Views with the items that each of them reads, and how much one of so many counts: to item vectors, and to a term.
  histories(likes, dislikes) {
    const read = { likes, dislikes, rated: [...likes, ...dislikes] };
    return Object.keys(this.exponents)
      .filter((view) => read[view]?.length)
      .map((view) => {
        const items = read[view];
        const counted = (name) => items.length ** (this.exponents[name] - 1);
        return { view, items, share: counted(view), shareOf: (term) => counted(`${view}.${term}`) };
      });
  }

  has(view, term) {
    return `${view}.${term}` in this.exponents;
  }

  vector(item) {
    return this.arrays.items.subarray(item * this.width, (item + 1) * this.width);
  }

  // The user by a view, K^T (sum of the items' vectors) times their share: what a candidate's vector is multiplied by.
  user(view, items, share) {
    const sum = new Float64Array(this.width);
    for (const item of items) this.vector(item).forEach((value, column) => (sum[column] += value));
    const matrix = this.arrays[`pull.${view}`];
    const result = new Float64Array(this.width);
    for (let row = 0; row < this.width; row++)
      for (let column = 0; column < this.width; column++)
        result[column] += share * sum[row] * matrix[row * this.width + column];
    return result;
  }

  dot(item, vector) {
    const own = this.vector(item);
    let total = 0;
    for (let column = 0; column < this.width; column++) total += own[column] * vector[column];
    return total;
  }

  // Calls with column and value of what is not zero in a row of a matrix; nothing of a matrix that the model lacks.
  eachOf(name, row, call) {
    const whole = this.arrays[name];
    if (whole) {
      for (let column = 0; column < this.count; column++) call(column, whole[row * this.count + column]);
      return;
    }
    const start = this.arrays[`${name}.start`];
    if (!start) return;
    const columns = this.arrays[`${name}.column`];
    const values = this.arrays[`${name}.value`];
    for (let place = start[row]; place < start[row + 1]; place++) call(columns[place], values[place]);
  }

  at(name, row, column) {
    const whole = this.arrays[name];
    if (whole) return whole[row * this.count + column];
    let found = 0;
    this.eachOf(name, row, (other, value) => {
      if (other === column) found = value;
    });
    return found;
  }

  // 1 / sqrt(n_j n_c)
  cosine(view, item, candidate) {
    const ratings = this.arrays[`ratings.${view}`];
    const product = ratings[item] * ratings[candidate];
    return product ? 1 / Math.sqrt(product) : 0;
  }

  // What each relation and entity adds to the overlap of two items, by the column that it has.
  shared(view, item, candidate) {
    const weights = this.arrays[`overlap.${view}`];
    const relation = this.arrays["around.relation"];
    const mine = new Map();
    this.eachOf("around", item, (column, value) => mine.set(column, value));
    const found = new Map();
    this.eachOf("around", candidate, (column, value) => {
      if (mine.has(column)) found.set(column, weights[relation[column]] * value * mine.get(column));
    });
    return found;
  }

  popularity(view, item, candidate) {
    const { features, arrays } = this;
    const matrix = arrays[`popularity.${view}`];
    let total = 0;
    for (let row = 0; row < features; row++)
      for (let column = 0; column < features; column++)
        total +=
          arrays.features[candidate * features + row] *
          matrix[row * features + column] *
          arrays.features[item * features + column];
    return total;
  }

  // Of every item that is not rated; of the others those parts count that compare an item with itself.
  scores(likes, dislikes) {
    const scores = Float64Array.from(this.arrays.biases);
    for (const { view, items, share, shareOf } of this.histories(likes, dislikes)) {
      const user = this.user(view, items, share);
      for (let item = 0; item < this.count; item++) scores[item] += this.dot(item, user);
      const weight = this.weights[`co_rating.${view}`];
      for (const cause of items)
        this.eachOf("co_rating", cause, (item, value) => (scores[item] += weight * value));
      if (this.has(view, "together")) {
        const counted = this.weights[`together.${view}`] * shareOf("together");
        for (const cause of items)
          this.eachOf(`together.${view}`, cause, (item, value) => (scores[item] += counted * value * this.cosine(view, cause, item)));
      }
      if (this.has(view, "overlap")) this.addOverlap(scores, view, items, shareOf("overlap"));
      if (this.has(view, "popularity")) this.addPopularity(scores, view, items, shareOf("popularity"));
    }
    return scores;
  }

  addOverlap(scores, view, items, share) {
    const weights = this.arrays[`overlap.${view}`];
    const relation = this.arrays["around.relation"];
    const sum = new Float64Array(relation.length);
    for (const cause of items)
      this.eachOf("around", cause, (column, value) => (sum[column] += share * weights[relation[column]] * value));
    for (let item = 0; item < this.count; item++)
      this.eachOf("around", item, (column, value) => (scores[item] += sum[column] * value));
  }

  addPopularity(scores, view, items, share) {
    const { features, arrays } = this;
    const matrix = arrays[`popularity.${view}`];
    const sum = new Float64Array(features);
    for (let row = 0; row < features; row++)
      for (const cause of items)
        for (let column = 0; column < features; column++)
          sum[row] += share * matrix[row * features + column] * arrays.features[cause * features + column];
    for (let item = 0; item < this.count; item++)
      for (let row = 0; row < features; row++) scores[item] += arrays.features[item * features + row] * sum[row];
  }

  // Parts of what an item of a history adds to a candidate's score.
  parts({ view, share, shareOf }, item, candidate) {
    const found = { vectors: this.dot(candidate, this.user(view, [item], share)) };
    const weight = this.weights[`co_rating.${view}`];
    if (weight !== undefined) found.co_rating = weight * this.at("co_rating", item, candidate);
    if (this.has(view, "together"))
      found.together =
        this.weights[`together.${view}`] *
        shareOf("together") *
        this.at(`together.${view}`, item, candidate) *
        this.cosine(view, item, candidate);
    if (this.has(view, "overlap"))
      found.overlap = shareOf("overlap") * sumOf(this.shared(view, item, candidate).values());
    if (this.has(view, "popularity")) found.popularity = shareOf("popularity") * this.popularity(view, item, candidate);
    return found;
  }

  // The part that most of a contribution comes from, as pipeline/explain/causes.py chooses it; of the graph with the columns that
  // its strongest relation has, the strongest first.
  cause({ view }, parts, item, candidate) {
    const total = sumOf(Object.values(parts));
    const sign = Math.sign(total);
    if (!this.several || !sign) return null;
    if ((parts.overlap ?? 0) * sign >= TELLING * Math.abs(total)) {
      const shared = this.shared(view, item, candidate);
      const relation = this.arrays["around.relation"];
      const sums = new Map();
      for (const [column, value] of shared)
        sums.set(relation[column], (sums.get(relation[column]) ?? 0) + sign * value);
      const best = [...sums].reduce((one, other) => (other[1] > one[1] ? other : one))[0];
      const [column] = [...shared]
        .filter(([place]) => relation[place] === best)
        .reduce((one, other) => (sign * other[1] > sign * one[1] ? other : one));
      return { part: "overlap", relation: best, column };
    }
    const { co_rating: weights = -Infinity, together = -Infinity, ...others } = parts;
    const both = [weights, together].filter(Number.isFinite);
    if (both.length) others.both = sumOf(both);
    const [part] = Object.entries(others).reduce((one, other) => (sign * other[1] > sign * one[1] ? other : one));
    return { part };
  }

  // Contributions of what is liked and disliked to the score of a candidate, and what is said of it to anybody: they add up to it.
  contributions(likes, dislikes, candidate) {
    const told = new Map([...likes, ...dislikes].map((item) => [item, { value: 0, cause: null, merged: false }]));
    for (const history of this.histories(likes, dislikes))
      for (const item of history.items) {
        const parts = this.parts(history, item, candidate);
        told.set(item, {
          value: sumOf(Object.values(parts)),
          cause: this.cause(history, parts, item, candidate),
          merged: history.view === "rated",
        });
      }
    const named = (items) => items.map((item) => ({ item, ...told.get(item) }));
    return { likes: named(likes), dislikes: named(dislikes), bias: this.arrays.biases[candidate] };
  }
}

const sumOf = (numbers) => [...numbers].reduce((sum, number) => sum + number, 0);
