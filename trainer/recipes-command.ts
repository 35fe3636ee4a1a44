/** `trainer recipes` on the command line. */
import type { Command } from 'commander';
import { explainRecipe, listRecipes, loadRecipe } from './recipe.ts';

export function addRecipesCommand(program: Command, print: (text: string) => void): void {
  const recipes = program
    .command('recipes')
    .description('the recipes there are')
    .action(async () => {
      for (const { name, description } of await listRecipes()) print(`${name.padEnd(12)} ${description}\n`);
    });
  recipes
    .command('show <name|file>')
    .description('print a recipe: every value with its meaning; as a JSON file to start from with --json')
    .option('--json', 'the recipe as JSON, all defaults written out', false)
    .addHelpText(
      'after',
      `
Examples:
  trainer recipes show malaria
  trainer recipes show malaria --json > mine.json; trainer fit good/ --recipe mine.json`,
    )
    .action(async (name: string, options: { json: boolean }) => {
      const recipe = await loadRecipe(name, []);
      if (options.json) return print(`${JSON.stringify(recipe, null, 2)}\n`);
      print(`${recipe.name}: ${recipe.description}\n${recipe.intendedUse}\n`);
      if (recipe.leavesOut !== undefined) print(`Left out by default: ${recipe.leavesOut}\n`);
      const rows = explainRecipe(recipe);
      const width = (of: 'key' | 'value') => Math.max(...rows.map((row) => row[of].length));
      const [keys, values] = [width('key'), width('value')];
      print('\n');
      for (const { key, value, meaning } of rows)
        print(`  ${key.padEnd(keys)}  ${value.padEnd(values)}  ${meaning}`.trimEnd().concat('\n'));
      print(`\nChange a value with --set KEY=VALUE.\n`);
    });
}
