/**
 * A guest of `wasi:cuda/host` whose result tells that its kernels ran: three launches of add_one over a hundred
 * words, and their sum.
 */
import { BASIC_PTX } from "../contract/gpu_kernels.ts";
import { CUDA_AT, CUDA_CALLS, cudaGuest } from "./cuda_guest.ts";
import { ARG, encodeArgs } from "./gpu_args.ts";

const ADD_ONE = encodeArgs(ARG.inOut(CUDA_AT.data, 400), ARG.u32(100));

/** Launches add_one three times and answers the sum of all words: 300. */
export function addingGuest(): Uint8Array<ArrayBuffer> {
  const launch = `(drop (call $wasi_cuda_launch (local.get $kernel) (i32.const 4) (i32.const 1) (i32.const 1)
    (i32.const 32) (i32.const 1) (i32.const 1) (i32.const 0) (i32.const ${CUDA_AT.args})
    (i32.const ${ADD_ONE.length})))`;
  return cudaGuest(
    `${CUDA_CALLS.load(BASIC_PTX, "add_one")}
    ${launch} ${launch} ${launch} (drop ${CUDA_CALLS.sync})
    (loop $sum
      (local.set $total (i32.add (local.get $total)
        (i32.load (i32.add (i32.const ${CUDA_AT.data}) (local.get $count)))))
      (br_if $sum (i32.lt_u (local.tee $count (i32.add (local.get $count) (i32.const 4))) (i32.const 400))))
    (local.get $total)`,
    { ptx: BASIC_PTX, entry: "add_one", args: ADD_ONE, locals: "(local $total i32)" },
  );
}
