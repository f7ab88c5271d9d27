// Prints the name, version and licence of each package in a bundle.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const [, , parts, sources] = process.argv;
const inputs = Object.keys(JSON.parse(readFileSync(parts, "utf8")).inputs);
const packages = new Set(inputs.flatMap((input) => input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1] ?? []));
for (const name of [...packages].sort()) {
  const directory = join(sources, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
  const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`${name} has no licence file`);
  console.log(`${name} ${version} (${license})\n\n${readFileSync(join(directory, file), "utf8").trim()}\n\n----\n`);
}
