"use strict";
// The model: scores of a person who likes and dislikes some items. pipeline/report/browser_model.py has the formula.

class Model {
  constructor(data) {
    this.arrays = {};
    for (const [name, packed] of Object.entries(data.arrays)) {
      const bytes = Uint8Array.from(atob(packed.float32), (letter) => letter.charCodeAt(0));
      this.arrays[name] = new Float32Array(bytes.buffer);
    }
    this.exponents = data.exponents;
    [this.count, this.width] = data.arrays.items.shape;
  }

  // Views with the items that each of them reads.
  histories(likes, dislikes) {
    const read = { likes, dislikes, rated: [...likes, ...dislikes] };
    return Object.keys(this.exponents)
      .filter((view) => read[view].length)
      .map((view) => ({ view, items: read[view], share: read[view].length ** (this.exponents[view] - 1) }));
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

  together(view, item, candidate) {
    const weights = this.arrays[`together.${view}`];
    return weights ? weights[item * this.count + candidate] : 0;
  }

  // Of every item.
  scores(likes, dislikes) {
    const scores = Float64Array.from(this.arrays.biases);
    for (const { view, items, share } of this.histories(likes, dislikes)) {
      const user = this.user(view, items, share);
      for (let item = 0; item < this.count; item++) {
        scores[item] += this.dot(item, user);
        for (const cause of items) scores[item] += this.together(view, cause, item);
      }
    }
    return scores;
  }

  // Contributions of what is liked and disliked to the score of a candidate, and what is said of it to anybody: they add up to it.
  contributions(likes, dislikes, candidate) {
    const values = new Map([...likes, ...dislikes].map((item) => [item, 0]));
    for (const { view, items, share } of this.histories(likes, dislikes))
      for (const item of items) {
        const value = this.dot(candidate, this.user(view, [item], share)) + this.together(view, item, candidate);
        values.set(item, values.get(item) + value);
      }
    const named = (items) => items.map((item) => ({ item, value: values.get(item) }));
    return { likes: named(likes), dislikes: named(dislikes), bias: this.arrays.biases[candidate] };
  }
}
