// types: sample pictures and what they were made from: the typed view of a `pictures` artifact.
#pragma once
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "artifact/artifact.h"
#include "artifact/port_type.h"
#include "base/files.h"

namespace atelier {

struct Picture {
  std::string name;  // "0001_seed3.png": the file it is written to
  Tensor pixels;     // u8 [H, W, 3], RGB
  // prompt, negative_prompt, sampler, timestep_spacing: text; seed, steps, width, height (of the first pass, px),
  // clip_skip, vae_tile, second_pass_steps: integers; guidance, guidance_rescale, second_pass_scale,
  // second_pass_strength: numbers; loras: a list of {weight, name}. Any may be absent.
  nlohmann::json metadata = nlohmann::json::object();
};

struct PictureSet {
  std::vector<Picture> items;

  Artifact to_artifact() const;
  // Fault: the artifact is not a well-formed one; the text says why.
  static Expected<PictureSet> from(const Artifact& artifact);
};

// What WebUI writes into a PNG's `parameters`: the prompt, "Negative prompt: …", then "Steps: 20, Sampler: DDIM, CFG
// scale: 7.5, Seed: 3, Size: 512x512", and what else is told, by WebUI's names where it has one.
std::string webui_parameters(const Picture& picture);

// Port type `pictures`. An output is a folder of PNGs that hold webui_parameters().
std::shared_ptr<const PortType> make_pictures_type(Files& files);

}  // namespace atelier
