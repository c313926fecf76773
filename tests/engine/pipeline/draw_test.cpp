#include "pipeline/draw.h"

#include <gtest/gtest.h>

#include "pipeline_case.h"

namespace atelier {
namespace {

const char* const pipeline = R"(atelier: 1
name: tale
inputs:
  style: {type: text, scope: batch}
  story: {type: text}
steps:
  prepared: {use: m.yaml, in: {raw: story}}
  learn: {use: learn, in: {texts: [prepared.end, style]}}
  look: {use: learn, in: {texts: [style]}}
outputs:
  learned: {from: learn, path: "${customer}/\"a\".txt"}
  start: {from: prepared.start, path: "${customer}/start.txt"}
)";
const char* const module = R"(atelier: 1
inputs: {raw: {type: text}}
steps: {cut: {use: split, in: {text: raw}}}
outputs: {start: {from: cut.head}, end: {from: cut.tail}}
)";

class Draw : public testing::Test {
 protected:
  PipelineCase world{pipeline, {{"/m.yaml", module}}};
};

TEST_F(Draw, AsDot) {
  EXPECT_EQ(draw_dot(*world.load()), R"~(digraph "tale" {
  rankdir=LR;
  node [shape=box, style="rounded,filled", fillcolor=white];
  i0 [label="style\ntext", shape=folder, style=filled, fillcolor=gray90];
  i1 [label="story\ntext", shape=folder, style=filled];
  s1 [label="learn", penwidth=2];
  s2 [label="look\nlearn", penwidth=2, fillcolor=gray90];
  subgraph cluster_0 {
    label="prepared";
    s0 [label="cut\nsplit"];
  }
  o0 [label="learned\n${customer}/\"a\".txt", shape=note, style=filled];
  o1 [label="start\n${customer}/start.txt", shape=note, style=filled];
  i1 -> s0 [label="text"];
  s0 -> s1 [label="tail → texts"];
  i0 -> s1 [label="texts"];
  i0 -> s2 [label="texts"];
  s1 -> o0;
  s0 -> o1 [label="head"];
}
)~");
}

TEST_F(Draw, AsMermaid) {
  EXPECT_EQ(draw_mermaid(*world.load()), R"~(flowchart LR
  classDef shared fill:#e5e5e5;
  classDef device stroke-width:3px;
  i0[/"style<br>text"/]
  class i0 shared;
  i1[/"story<br>text"/]
  s1["learn"]
  class s1 device;
  s2["look<br>learn"]
  class s2 shared;
  class s2 device;
  subgraph f0["prepared"]
    s0["cut<br>split"]
  end
  o0[("learned<br>${customer}/#quot;a#quot;.txt")]
  o1[("start<br>${customer}/start.txt")]
  i1 -- "text" --> s0
  s0 -- "tail → texts" --> s1
  i0 -- "texts" --> s1
  i0 -- "texts" --> s2
  s1 --> o0
  s0 -- "head" --> o1
)~");
}

}  // namespace
}  // namespace atelier
