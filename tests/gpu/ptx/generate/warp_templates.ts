/**
 * Warp and block templates: what threads exchange where all of them are.
 *
 * Owns shuffles, votes, reductions and exchanges through shared memory. They are generated only where the whole
 * block arrives together. Invariant: no thread uses a value of a lane that is not there, and every exchange
 * ends with a barrier, so that the next one finds the memory free.
 */

/** `%lane`, lanes of this warp `%lanes`, and the mask of them `%laneMask` are set at the start. */
const GUARDED_SHUFFLE =
  "setp.lt.u32 <t:pred:q>, <t:b32:j>, %lanes; selp.b32 <=b32>, <t:b32:x>, <t:b32:v>, <t:pred:q>";

/** Need every lane of the warp that ever was. */
export const SHUFFLE_TEMPLATES: readonly string[] = [
  `mov.b32 <t:b32:v>, <b32>; shfl.sync.bfly.b32 <t:b32:x>, <t:b32:v>, 1, 31, <0xffffffff|%laneMask>; xor.b32 <t:b32:j>, %lane, 1; ${GUARDED_SHUFFLE}`,
  `mov.b32 <t:b32:v>, <b32>; shfl.sync.bfly.b32 <t:b32:x>, <t:b32:v>, 16, 31, 0xffffffff; xor.b32 <t:b32:j>, %lane, 16; ${GUARDED_SHUFFLE}`,
  `mov.b32 <t:b32:v>, <b32>; shfl.sync.down.b32 <t:b32:x>|<t:pred:p>, <t:b32:v>, 5, 31, 0xffffffff; add.u32 <t:b32:j>, %lane, 5; ${GUARDED_SHUFFLE}; mov.pred <=pred>, <t:pred:p>`,
  "shfl.sync.up.b32 <=b32>|<=pred>, <b32>, <1|2|7|31>, 0, 0xffffffff",
  "shfl.sync.up.b32 <=b32>, <b32>, <1|3>, <0|4096|6144>, 0xffffffff",
  "rem.u32 <t:b32:j>, <b32>, %lanes; shfl.sync.idx.b32 <=b32>, <b32>, <t:b32:j>, 31, <0xffffffff|%laneMask>",
  "shfl.sync.idx.b32 <=b32>, <b32>, 0, 31, 0xffffffff",
  "rem.u32 <t:b32:j>, <b32>, %lanes; mov.b32 <t:b32:v>, <f32>; shfl.sync.idx.b32 <t:b32:v>, <t:b32:v>, <t:b32:j>, 31, 0xffffffff; mov.b32 <=f32>, <t:b32:v>",
];

/** Take those lanes that are there. */
export const VOTE_TEMPLATES: readonly string[] = [
  "vote.sync.ballot.b32 <=b32>, <|!><pred>, 0xffffffff",
  "vote.sync.<all|any|uni>.pred <=pred>, <|!><pred>, 0xffffffff",
  "redux.sync.<add|min|max>.<u32|s32> <=b32>, <b32>, 0xffffffff",
  "redux.sync.<and|or|xor>.b32 <=b32>, <b32>, 0xffffffff",
  "and.b32 <t:b32:v>, <b32>, <1|3|7>; match.any.sync.b32 <=b32>, <t:b32:v>, 0xffffffff",
  "and.b32 <t:b32:v>, <b32>, 1; match.all.sync.b32 <=b32>|<=pred>, <t:b32:v>, 0xffffffff",
  "and.b64 <t:b64:v>, <b64>, 3; match.any.sync.b64 <=b32>, <t:b64:v>, 0xffffffff",
  "bar.warp.sync 0xffffffff; mov.b32 <=b32>, <b32>",
];

const BARRIER = "<bar.sync 0|bar.sync 0|bar.sync 3|barrier.sync 0|barrier.sync.aligned 1|bar.cta.sync 2>";

/** `%linear` is the number of the thread in its block, `%threads` how many there are. */
export const EXCHANGE_TEMPLATES: readonly string[] = [
  `st.shared.u32 [%exchange], <b32>; ${BARRIER}; mad.lo.u32 <t:b32:j>, %linear, <3|5|7|1>, <n:0:9>; rem.u32 <t:b32:j>, <t:b32:j>, %threads; ` +
  `mad.lo.u32 <t:b32:a>, <t:b32:j>, 4, %exchangeBase; ld.shared.u32 <=b32>, [<t:b32:a>]; ${BARRIER}`,
  `st.shared.u32 [%exchange], <b32>; ${BARRIER}; rem.u32 <t:b32:j>, <b32>, %threads; ` +
  `mad.lo.u32 <t:b32:a>, <t:b32:j>, 4, %exchangeBase; ld.shared.s32 <=b32>, [<t:b32:a>]; ${BARRIER}`,
  // A NaN's bits are nobody's promise, and a thread that has exited leaves them to those who read integers.
  `testp.number.f32 <t:pred:n>, <f32#v>; selp.f32 <t:f32:x>, <f32#v>, 0f3FC00000, <t:pred:n>; ` +
  `st.shared.f32 [%exchange], <t:f32:x>; ${BARRIER}; rem.u32 <t:b32:j>, <b32>, %threads; ` +
  `mad.lo.u32 <t:b32:a>, <t:b32:j>, 4, %exchangeBase; ld.shared.f32 <=f32>, [<t:b32:a>]; ${BARRIER}`,
  `${BARRIER}; and.b32 <t:b32:i>, <b32>, 3; mad.lo.u32 <t:b32:a>, <t:b32:i>, 96, %sharedBins; ` +
  `ld.shared.u32 <=b32>, [<t:b32:a>+<0|4|8|12|16|20|24|28>]; ${BARRIER}`,
  `${BARRIER}; ld.shared.u64 <=b64>, [%sharedBins+<32|40|48|56|64|88>]; ${BARRIER}`,
  "bar.red.popc.u32 <=b32>, <0|1>, <|!><pred>",
  "bar.red.<and|or>.pred <=pred>, <0|1>, <|!><pred>",
  "barrier.red.popc.u32 <=b32>, 4, <pred>",
];

/** With the number of threads spelled out, which has to be a multiple of 32: for whole warps only. */
export const COUNTED_EXCHANGE =
  "st.shared.u32 [%exchange], <b32>; bar.sync 5, <threads>; xor.b32 <t:b32:j>, %linear, 1; " +
  "mad.lo.u32 <t:b32:a>, <t:b32:j>, 4, %exchangeBase; ld.shared.u32 <=b32>, [<t:b32:a>]; bar.sync 5, <threads>";
