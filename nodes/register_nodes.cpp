#include "nodes/register_nodes.h"

#include "exec/exec_node.h"
#include "lora/combine_node.h"
#include "lora/diff_node.h"
#include "lora/embedding_type.h"
#include "lora/extract_lora_node.h"
#include "lora/fuse_node.h"
#include "lora/lora_type.h"
#include "lora/resize_lora_node.h"
#include "model/checkpoint_node.h"
#include "model/model_type.h"
#include "sampling/class_pictures_node.h"
#include "sampling/sample_node.h"
#include "training/dataset_node.h"
#include "training/encode_node.h"
#include "training/train_embedding_node.h"
#include "training/train_model_node.h"
#include "training/train_node.h"
#include "training/train_vae_node.h"
#include "types/captions.h"
#include "types/dataset.h"
#include "types/file.h"
#include "types/images.h"
#include "types/latents.h"
#include "types/masks.h"
#include "types/photos.h"
#include "types/pictures.h"
#ifdef ATELIER_WITH_VISION
#include "image/align.h"
#include "image/load.h"
#include "image/resize.h"
#include "portrait/caption.h"
#include "portrait/segment.h"
#include "portrait/split_captions.h"
#endif

namespace atelier {
namespace {

void add_types(NodeRegistry& registry, const Resources& resources) {
  Files& files = resources.files;
  registry.add_type(make_photos_type(files));
  registry.add_type(make_images_type(files));
  registry.add_type(make_masks_type(files));
  registry.add_type(make_captions_type(files));
  registry.add_type(make_latents_type());
  registry.add_type(make_dataset_type());
  registry.add_type(make_lora_type(files, resources.date));
  registry.add_type(make_embedding_type(files, resources.date));
  registry.add_type(make_model_type(resources.models / "clip-tokenizer"));
  registry.add_type(make_model_config_type());
  registry.add_type(make_pictures_type(files));
  registry.add_type(make_metrics_type(files));
  registry.add_type(make_file_type(files));
}

#ifdef ATELIER_WITH_VISION
WordRules read_word_rules(const Resources& resources) {
  const auto path = resources.pipelines / "captions" / "portrait-words.yaml";
  const auto text = read_text(resources.files, path);
  if (!text) throw Fault("the caption rules that ship with atelier cannot be read: " + text.error().message);
  return WordRules::parse(*text, path.string());
}

void add_vision_nodes(NodeRegistry& registry, const Resources& resources) {
  registry.add(make_load(resources.files));
  registry.add(make_align(resources.files, resources.models));
  registry.add(make_resize());
  registry.add(make_segment(resources.files, resources.models));
  registry.add(make_caption());
  registry.add(make_split_captions(read_word_rules(resources)));
}
#else
void add_vision_nodes(NodeRegistry&, const Resources&) {}
#endif

}  // namespace

NodeRegistry make_registry(const Resources& resources) {
  NodeRegistry registry;
  add_types(registry, resources);
  add_vision_nodes(registry, resources);
  registry.add(make_checkpoint_node());
  registry.add(make_encode_node());
  registry.add(make_dataset_node());
  registry.add(make_train_node());
  registry.add(make_train_embedding_node());
  registry.add(make_train_model_node());
  registry.add(make_train_vae_node());
  registry.add(make_diff_node());
  registry.add(make_combine_node());
  registry.add(make_resize_lora_node());
  registry.add(make_extract_lora_node());
  registry.add(make_fuse_node());
  registry.add(make_sample_node());
  registry.add(make_class_pictures_node());
  registry.add(make_exec(resources.files, registry, resources.commands));
  return registry;
}

}  // namespace atelier
