/** What makes up an installed tfjs-node or tfjs-node-gpu: every download, pinned by version and hash. */

/** A backend of TensorFlow's own C library, by the name of its npm package after `@tensorflow/`. */
export type TensorFlowBackend = 'tfjs-node' | 'tfjs-node-gpu';

/** A file of the npm registry. `integrity` is the registry's own Subresource Integrity string. */
export interface NpmPin {
  name: string;
  version: string;
  integrity: `sha512-${string}`;
}

/** A wheel of the Python package index for Linux x86-64, used for the libraries in it, never imported. */
export interface WheelPin {
  name: string;
  version: string;
  sha256: string;
  /** Which files are taken: see extract.py. */
  take: 'tensorflow' | 'nvidia';
}

export interface BackendPins {
  /** The tfjs package itself, before everything it needs to run. */
  npm: readonly NpmPin[];
  /** TensorFlow's wheel first. */
  wheels: readonly WheelPin[];
  /** Version of TensorFlow's C library. */
  tensorflow: string;
  /** Size of all downloads together, megabytes. */
  download: number;
  /** Size of the installed folder, megabytes. */
  disk: number;
}

/** The tfjs version that all packages of the house share; another one's kernels may not fit. */
export const TFJS_VERSION = '4.22.0';

const SHARED: readonly NpmPin[] = [
  {
    name: 'google-protobuf',
    version: '3.21.4',
    integrity:
      'sha512-MnG7N936zcKTco4Jd2PX2U96Kf9PxygAPKBug+74LHzmHXmceN16MmRcdgZv+DGef/S9YvQAfRsNCn4cjf9yyQ==',
  },
  {
    name: 'node-api-headers',
    version: '1.9.0',
    integrity:
      'sha512-2oNILP4jXwRB4ywnYKjVk1YyJ96n2D4EOVJO6S3oYZ5PtbJrw3Yt9TpAuX3nBLMuzn74rnfGQrv13pS9vC+YiA==',
  },
];

/**
 * The binding compiles against TensorFlow 2.9's C API, which later versions keep. Newer wheels than these two
 * were not tried. The CUDA libraries are the ones that TensorFlow 2.15.1 names in its extra `and-cuda`, less the
 * compiler and the multi-GPU library, which single-GPU eager execution does not load.
 */
export const PINS: Readonly<Record<TensorFlowBackend, BackendPins>> = {
  'tfjs-node': {
    npm: [
      {
        name: '@tensorflow/tfjs-node',
        version: TFJS_VERSION,
        integrity:
          'sha512-uHrXeUlfgkMxTZqHkESSV7zSdKdV0LlsBeblqkuKU9nnfxB1pC6DtoyYVaLxznzZy7WQSegjcohxxCjAf6Dc7w==',
      },
      ...SHARED,
    ],
    wheels: [
      {
        name: 'tensorflow-cpu',
        version: '2.13.1',
        sha256: '87be6e61314b2c0fa062f71e26e41d6a17e162ffe4da72c820fe8f1fc94d97fe',
        take: 'tensorflow',
      },
    ],
    tensorflow: '2.13.1',
    download: 190,
    disk: 570,
  },
  'tfjs-node-gpu': {
    npm: [
      {
        name: '@tensorflow/tfjs-node-gpu',
        version: TFJS_VERSION,
        integrity:
          'sha512-p//NN6DGiN4hInUmIkRffaFVMcdTREUMjPyjW04J7OXvB2zBlQimj61eFKSgRrH3f5TnOfKzb0n56he/B6a4bw==',
      },
      ...SHARED,
    ],
    wheels: [
      {
        name: 'tensorflow',
        version: '2.15.1',
        sha256: 'bb0edd69103c154245c5f209f0507355cc68ba7e4de350084bc31edc562478e4',
        take: 'tensorflow',
      },
      cuda('cublas', '12.2.5.6', 'f448d8db463f9a2c7dd9a1e607c0961d3e95f825b86839c5882f7d073d406df0'),
      cuda('cuda-cupti', '12.2.142', 'ce68d1009dd14215e38ed49643d31374c71d6fea381181cb0b9da7f19dfd1624'),
      cuda('cuda-nvrtc', '12.2.140', 'b1cdcae6443cb7cdcfb5d1bf51896a148c9f82f9e65b27db9ab095eaed689aa7'),
      cuda('cuda-runtime', '12.2.140', 'acb9cb7e44594a3512533497ea790d9f0b0e399abcc888584c157d1ffa080e41'),
      cuda('cudnn', '8.9.4.25', '9f882d5b11753c566fd32427839089eb4f8ba7a58c28446ad359e32c40229723'),
      cuda('cufft', '11.0.8.103', '72e961e578f9be9e316ccb4db8652c421dd0b57442624faa71061d452f449a67'),
      cuda('curand', '10.3.3.141', '7b6bad6817b5df2a6f5ec221206fb895d9195fdd7d2443f3e86554108c141a0a'),
      cuda('cusolver', '11.5.2.141', '5a85c4653ce34339a5688137f494a0f903e0f0532418550998167f00844161da'),
      cuda('cusparse', '12.1.2.141', '4e13d6a51d2303dcb2a023ba09546811161f0334fc64e13689397bbd3b1eb126'),
      cuda('nvjitlink', '12.2.140', '95635cafbf9f96c38bea5200ab145a2e6aefbb5405e0b04c1e4ba54df2d84ec9'),
    ],
    tensorflow: '2.15.1',
    download: 2060,
    disk: 3650,
  },
};

function cuda(library: string, version: string, sha256: string): WheelPin {
  return { name: `nvidia-${library}-cu12`, version, sha256, take: 'nvidia' };
}
