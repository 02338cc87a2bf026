// Renders the cart e-mail so many times with liquidjs, parsed once, and prints
// the milliseconds that it took, or the e-mail itself where the number is 0.
const fs = require('fs');

// liquidjs asks node for a new date format at each month's name, which would
// take most of its time: node's time, not that of Liquid.  Formats are kept.
const { DateTimeFormat } = Intl;
const formats = new Map();
Intl.DateTimeFormat = function (locale, options) {
  const key = locale + JSON.stringify(options);
  let format = formats.get(key);
  if (format === undefined) formats.set(key, (format = DateTimeFormat(locale, options)));
  return format;
};

const { Liquid } = require('liquidjs');

const [count, templateFile, contextFile] = process.argv.slice(2);
const engine = new Liquid({ timezoneOffset: 0, locale: 'en-US' });
const template = engine.parse(fs.readFileSync(templateFile, 'utf8'));
const context = JSON.parse(fs.readFileSync(contextFile, 'utf8'));

function render(n) {
  let length = 0;
  for (let i = 0; i < n; i++) length += engine.renderSync(template, context).length;
  return length;
}

if (count === '0') {
  process.stdout.write(engine.renderSync(template, context));
} else {
  render(5000); // until the compiler has seen it
  const start = process.hrtime.bigint();
  render(Number(count));
  console.log(Number(process.hrtime.bigint() - start) / 1e6);
}
