/** Layers that are called with several tensors by name, which a TensorFlow.js layers model cannot say: as one list. */
import { MaskOf } from './layers/mask.ts';
import type { Refuse } from './refuse.ts';
import { type Fields, fieldsOf, type Json, listOf } from './topology.ts';

/** The arguments of a call, in their order. */
export const ATTENTION_ARGUMENTS: readonly string[] = [
  ...['query', 'value', 'key', 'query_mask', 'value_mask', 'key_mask', 'attention_mask'],
  ...['return_attention_scores', 'training', 'use_causal_mask'],
];

const CLASSES: readonly string[] = ['MultiHeadAttention', 'Attention', 'AdditiveAttention'];

export function isAttention(layer: Fields): boolean {
  return CLASSES.includes(String(layer.class_name));
}

/** What a model says of all its layers. */
export interface SavedModel {
  /** Of the Keras that saved it; empty: another did. */
  readonly version: string;
  /** Whether some layer gives a mask. */
  readonly masks: boolean;
  readonly refuse: Refuse;
}

/**
 * The layer with all tensors of each use in a list, and in its settings the names of their arguments (`given`) and what else
 * it was called with. Where there are masks, layers before it make tensors of those of its inputs.
 * Refused is one that is used in different ways, or with a mask of its own.
 */
export function inOneList(layer: Fields, { masks, version, refuse }: SavedModel): readonly Fields[] {
  const config = fieldsOf(layer.config);
  const uses = listOf(layer.inbound_nodes).map((use) => useOf(listOf(use).map(listOf)));
  const [first] = uses;
  const same = uses.every(({ settings }) => JSON.stringify(settings) === JSON.stringify(first!.settings));
  if (first === undefined || !same) {
    refuse(
      `layer ${config.name} (${layer.class_name}) is used ${first ? 'in different ways' : 'within another layer'}; only uses in a functional model, with the same arguments each, can be converted. Save the model as a graph model`,
    );
    return [layer];
  }
  if (first.masked)
    refuse(
      `layer ${config.name} (${layer.class_name}) is called with a mask; only one that its inputs carry can be converted. Save the model as a graph model`,
    );
  const given = listOf(first.settings.given);
  const carried = masks ? ['query', 'value', 'key'].filter((name) => masked(name, given)) : [];
  const before = carried.map((name): Fields => {
    const own = `${config.name}/${name}_mask`;
    const inbound_nodes = uses.map(({ tensors }) => [tensors[given.indexOf(name)]!]);
    return { class_name: MaskOf.className, name: own, config: { name: own }, inbound_nodes };
  });
  return [
    ...before,
    {
      ...layer,
      config: {
        ...config,
        ...first.settings,
        // Keras 3 has two ways to compute it, of which one puts zeros for masked scores behind the softmax.
        zeros_where_masked:
          version.startsWith('3') &&
          (first.settings.return_attention_scores === true || Boolean(config.dropout)),
        given: [...given, ...carried.map((name) => `${name}_mask`)],
      },
      inbound_nodes: uses.map(({ tensors }, use) => [
        ...tensors,
        ...before.map(({ name }) => [name!, use, 0, {}]),
      ]),
    },
  ];
}

/** Whether the argument is given, and no mask for it. */
function masked(name: string, given: readonly Json[]): boolean {
  return given.includes(name) && !given.includes(`${name}_mask`);
}

interface Use {
  readonly tensors: readonly Json[];
  readonly settings: Fields;
  readonly masked: boolean;
}

/** Of `[[layer, node, tensor, keywords], ...]`; a tensor among the keywords is `[layer, node, tensor]`. */
function useOf(histories: ReadonlyArray<readonly Json[]>): Use {
  const keywords = fieldsOf(histories[0]?.[3]);
  const named = ATTENTION_ARGUMENTS.filter((name) => typeof listOf(keywords[name])[0] === 'string');
  const listed = ATTENTION_ARGUMENTS.slice(0, histories.length);
  const bare = [...histories, ...named.map((name) => listOf(keywords[name]))];
  return {
    tensors: bare.map((history) => [...history.slice(0, 3), {}]),
    settings: {
      given: [...listed, ...named],
      use_causal_mask: keywords.use_causal_mask ?? false,
      return_attention_scores: keywords.return_attention_scores ?? false,
    },
    masked: (keywords.mask ?? null) !== null,
  };
}
