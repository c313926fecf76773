// pipeline: a pipeline as a drawing. Inputs, steps and outputs are boxes, modules frames around their steps; what the
// whole batch shares is grey, and steps that hold a device have a thick border.
#pragma once
#include <string>

#include "pipeline/pipeline.h"

namespace atelier {

std::string draw_dot(const Pipeline& pipeline);      // for Graphviz
std::string draw_mermaid(const Pipeline& pipeline);  // a flowchart, as Markdown renderers draw it

// "${customer}/model/": a template as it was written.
std::string show(const Template& text);

}  // namespace atelier
