/** The bundle: one `.onnx` file that holds graph, preprocessing, score, thresholds and proof samples. */
import { createHash } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type ModelProto, ModelProtoSchema, StringStringEntryProtoSchema } from 'onnx-buf';
import { MANIFEST_KEY, type Manifest, manifest as manifestSchema } from '../../config/bundle.ts';
import { BundleError } from './bundleError.ts';

export interface Bundle {
  readonly manifest: Manifest;
  /** The serialised ONNX model, manifest included. */
  readonly model: Uint8Array;
}

/**
 * Reads and verifies a bundle: ONNX, manifest, digest.
 * @throws BundleError saying what was expected and what came.
 */
export async function readBundle(file: string): Promise<Bundle> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new BundleError(unreadable(file, (cause as NodeJS.ErrnoException).code), { cause });
  }
  return parseBundle(bytes, file);
}

function unreadable(file: string, code: string | undefined): string {
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return `There is no bundle ${file} (${code}). Check the path; \`trainer fit\` writes bundle.onnx into the folder of its run.`;
  if (code === 'EISDIR')
    return `${file} is a folder, and a bundle is a file. In the folder of a run it is ${path.join(file, 'bundle.onnx')}.`;
  return `Bundle ${file} cannot be read (${code}). Check its permissions.`;
}

/** As `readBundle`, from bytes; `source` names them in errors. */
export function parseBundle(bytes: Uint8Array, source: string): Bundle {
  const model = parseModel(bytes, source);
  const entry = model.metadataProps.find((p) => p.key === MANIFEST_KEY);
  if (entry === undefined)
    throw new BundleError(
      `${source} is an ONNX model without a manifest: expected the metadata property "${MANIFEST_KEY}" that \`trainer fit\` writes.`,
    );
  const content = parseJson(entry.value, source);
  const result = manifestSchema.safeParse(content);
  if (!result.success) {
    const issue = result.error.issues[0]!;
    throw new BundleError(
      `The manifest in ${source} does not fit format 1: ${issue.path.join('.')}: ${issue.message}.`,
    );
  }
  // As written, not as parsed: a default that a newer schema adds must not change the digest of an older bundle.
  const { digest, ...rest } = content as Manifest;
  const measured = digestOf(model, rest);
  if (digest !== measured)
    throw new BundleError(
      `${source} was changed after it was made: its manifest says ${digest}, its content is ${measured}. Copy the bundle again from where it was trained.`,
    );
  return { manifest: result.data, model: bytes };
}

/**
 * A bundle from an ONNX model and everything of a manifest but its digest; a manifest that the model has is replaced.
 * Equal input gives equal bytes.
 */
export function makeBundle(exported: Uint8Array, content: Omit<Manifest, 'digest'>): Bundle {
  const model = parseModel(exported, 'the exported model');
  model.metadataProps = model.metadataProps.filter((p) => p.key !== MANIFEST_KEY);
  const complete = manifestSchema.omit({ digest: true }).parse(content);
  const manifest = { ...complete, digest: digestOf(model, complete) };
  model.metadataProps.push(
    create(StringStringEntryProtoSchema, { key: MANIFEST_KEY, value: JSON.stringify(manifest) }),
  );
  return { manifest, model: toBinary(ModelProtoSchema, model) };
}

/**
 * Writes atomically: temporary file, fsync, rename, fsync of the folder.
 * @throws BundleError when it cannot be written.
 */
export async function writeBundle(file: string, bundle: Bundle): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const handle = await open(temporary, 'w');
    try {
      await handle.writeFile(bundle.model);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new BundleError(
      `${file} cannot be written (${(error as NodeJS.ErrnoException).code}). Check the folder's permissions and the space on its disk.`,
      { cause: error },
    );
  }
  const folder = await open(path.dirname(file), 'r');
  await folder.sync();
  await folder.close();
}

function parseModel(bytes: Uint8Array, source: string): ModelProto {
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    throw new BundleError(
      `${source} is no ONNX file (${bytes.length} bytes): expected a bundle made by \`trainer fit\`.`,
      { cause },
    );
  }
  if (model.graph === undefined || model.opsetImport.length === 0)
    throw new BundleError(
      `${source} is no ONNX file: it holds no graph. Expected a bundle made by \`trainer fit\`.`,
    );
  return model;
}

function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new BundleError(`The manifest in ${source} is no JSON: ${(cause as Error).message}`, { cause });
  }
}

/** SHA-256 over the model serialised without the manifest, followed by the canonical manifest without the digest. */
function digestOf(model: ModelProto, content: Omit<Manifest, 'digest'>): string {
  const bare = create(ModelProtoSchema, {
    ...model,
    metadataProps: model.metadataProps.filter((p) => p.key !== MANIFEST_KEY),
  });
  const hash = createHash('sha256').update(toBinary(ModelProtoSchema, bare)).update(canonical(content));
  return `sha256:${hash.digest('hex')}`;
}

/** JSON with sorted keys, so that equal content has equal bytes. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) =>
    v !== null && typeof v === 'object' && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  );
}
