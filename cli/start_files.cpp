#include "cli/start_files.h"

#include <fmt/format.h>

namespace atelier::cli {
namespace {

// The line by which a YAML language server finds the schema.
std::string schema_line(const std::filesystem::path& schemas, const char* name) {
  return fmt::format("# yaml-language-server: $schema={}\n", (schemas / name).string());
}

constexpr const char* kPipeline = R"(# Photos in, soft masks of the portraits out: a start, to change as you like.
#   atelier validate pipeline.yaml   finds every mistake, with line and column
#   atelier graph pipeline.yaml      draws it
#   atelier nodes, nodes NAME        what a step can use, and what it takes
atelier: 1
name: masks
params:                      # a param's type is its default's; a batch, a customer or --set may change its value
  size: 512                  # px, width and height of the masks
inputs:                      # what comes from outside
  photos: {type: photos}     # every customer's own; with `scope: batch` it is one for all
steps:                       # each uses a node: `in` says where its ports come from, `with` gives params
  loaded:  {use: load,    in: {photos: photos}}
  upright: {use: align,   in: {images: loaded}}
  square:  {use: resize,  in: {images: upright}, with: {size: "${size}"}}
  masks:   {use: segment, in: {images: square}}
outputs:                     # what is written, below the folder of --out; `step.port` where a step has several outputs
  portrait: {from: masks.portrait, path: "${customer}/masks/"}
)";

constexpr const char* kBatch =
    R"(# Tonight's work: a pipeline, values for it, and the customers. Paths are relative to this file.
#   atelier validate batch.yaml      finds every mistake, with line and column
#   atelier plan batch.yaml          shows every task
#   atelier run batch.yaml --out out
atelier: 1
pipeline: pipeline.yaml
params:                      # in place of the pipeline's defaults; --set size=384 goes before both
  size: 256
# inputs:                    # for inputs of scope batch, of which this pipeline has none
#   base: models/stable-diffusion-v1-5
customers:                   # or a CSV file with a column `id`, or a folder with a sub-folder for each
  - {id: anna, photos: customers/anna}
# - {id: ben, photos: customers/ben, params: {size: 384}}   # a param of one customer
)";

}  // namespace

std::string start_of_pipeline(const std::filesystem::path& schemas) {
  return schema_line(schemas, "pipeline.schema.json") + kPipeline;
}

std::string start_of_batch(const std::filesystem::path& schemas) {
  return schema_line(schemas, "batch.schema.json") + kBatch;
}

}  // namespace atelier::cli
