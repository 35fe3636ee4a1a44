/** First values of weights stand in no way of reading them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { layers, loadLayersModel, sequential } from '@tensorflow/tfjs-layers';
import { withoutSuperfluous } from '../../convert/superfluous_settings.ts';
import { seedWeights } from './support/models.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

test('cells in a list, of orthogonal first values, are read with their weights', async () => {
  const plain = { recurrentInitializer: 'glorotUniform' } as const;
  const cells = [layers.lstmCell({ units: 3, ...plain }), layers.gruCell({ units: 2, ...plain })];
  const model = sequential({ layers: [layers.rnn({ inputShape: [5, 3], cell: cells })] });
  seedWeights(model, 1);
  let saved: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    }),
  );
  const orthogonal = { class_name: 'Orthogonal', config: { gain: 1, seed: null } };
  const modelTopology = JSON.parse(JSON.stringify(saved!.modelTopology), (key, value) =>
    key === 'recurrent_initializer' ? orthogonal : value,
  );
  const read = await loadLayersModel({
    load: async () => withoutSuperfluous({ ...saved!, modelTopology }),
  });
  const x = tf.randomUniform([2, 5, 3], -1, 1, 'float32', 1);
  const [got, wanted] = [read, model].map((one) => [...(one.predict(x) as tf.Tensor).dataSync()]);
  assert.deepEqual(got, wanted);
});
