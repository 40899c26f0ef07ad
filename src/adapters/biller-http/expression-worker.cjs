'use strict';
/*
 * Plain JavaScript, since a worker thread loads it as it lies here, in src as in dist. expression-pool.ts asks one
 * evaluation at a time and ends this thread where one takes too long; so nothing here looks at a clock.
 */
const { parentPort, workerData } = require('node:worker_threads');
const jsonata = require('jsonata');
const { guardMembers, MissingValue } = require('../shared/biller-document/member-guards.cjs');
const { LinearRegularExpression } = require('../shared/biller-document/linear-regular-expression.cjs');

const COMPILED_MAX = 512;
const RESULT_CHARACTERS_MAX = 1024 * 1024;
const compiled = new Map();

function expressionOf(text, guards) {
  const key = guards.length === 0 ? text : JSON.stringify([text, guards]);
  const known = compiled.get(key);
  if (known) return known;
  const made = jsonata(text, { ...workerData.guards, RegexEngine: LinearRegularExpression });
  guardMembers(made, guards);
  if (compiled.size >= COMPILED_MAX) compiled.delete(compiled.keys().next().value);
  compiled.set(key, made);
  return made;
}

/** JSON would drop a function and write a number that is none as null: either would be sent as nothing. */
function data(_name, value) {
  if (typeof value === 'function') throw new MissingValue('a member is a function');
  if (typeof value === 'number' && !Number.isFinite(value)) throw new MissingValue('a member is no number');
  return value;
}

/** The value as JSON: JSONata's arrays carry functions, which leave no thread. */
async function answer({ text, context, guards }) {
  try {
    const value = await expressionOf(text, guards).evaluate(context);
    if (typeof value === 'function' || value?._jsonata_lambda) return { code: 'the result is no data' };
    const json = JSON.stringify(value, data);
    return json !== undefined && json.length > RESULT_CHARACTERS_MAX ? { code: 'result-too-large' } : { json };
  } catch (error) {
    if (error instanceof MissingValue) return { missing: error.message };
    // JSONata's messages quote the data they failed on; only its code goes further.
    return { code: typeof error?.code === 'string' ? error.code : 'the expression failed' };
  }
}

parentPort.on('message', async (asked) => parentPort.postMessage(await answer(asked)));
parentPort.postMessage({ ready: true });
