/** clingo-wasm: an answer set solver in C++, compiled by a new emscripten with legacy exceptions. */
import clingo from "clingo-wasm";

const QUEENS = `
#const n=7. {queen(1..n,1..n)} = n.
:- queen(I,J1), queen(I,J2), J1<J2. :- queen(I1,J), queen(I2,J), I1<I2.
:- queen(I1,J1), queen(I2,J2), I1<I2, |I1-I2|=|J1-J2|.
#show queen/2.
`;
const COLOURS = `
node(1..6). edge(X,Y) :- node(X), node(Y), X<Y, (X+Y)\\3 != 0.
{c(X,r);c(X,g);c(X,b)}=1 :- node(X). :- edge(X,Y), c(X,C), c(Y,C). :~ c(X,r). [1,X] #show c/2.
`;

export async function run(): Promise<unknown> {
  const solve = await clingo.init({ singleThreaded: true });
  return [QUEENS, COLOURS, "a :- not b. b :- not a.", "a. :- a.", "p("].map((program) => {
    const answer = solve(program, 0);
    if (answer.Result === "ERROR") return answer;
    // The rest of the answer has times in it.
    const witnesses = answer.Call.flatMap((call) => call.Witnesses ?? []).map((
      { Value, Costs },
    ) => [Value, Costs]);
    return { result: answer.Result, models: answer.Models, witnesses, warnings: answer.Warnings };
  });
}
