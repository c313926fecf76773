// schema: the pipeline file and the batch file as JSON Schemas (draft 7, which every editor's YAML language server and
// check-jsonschema read), for completion, explanation and checks without this program. They know a file alone: names
// that stand elsewhere in it or in another file, cycles and the types of ports are what `atelier validate` is for.
#pragma once
#include "graph/node.h"
#include "schema/param_schema.h"

namespace atelier {

// Of pipelines and modules, with the ports and params of every node of the registry.
Schema pipeline_schema(const NodeRegistry& registry);
Schema batch_schema();

}  // namespace atelier
