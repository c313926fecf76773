// exec: the node's ports: what a command can be given and what it can give, each as a file or a folder.
#pragma once
#include <array>
#include <string_view>

namespace atelier {

struct CommandInput {
  std::string_view port, type;
  bool many = false;
  std::string_view name;  // of the file or folder where the artifact has none of its own
  std::string_view summary;
};

inline constexpr std::array command_inputs{
    CommandInput{"files", "file", true, "file",
                 "Files: {in:files} stands for all of them, {in:files:1} for the first."},
    CommandInput{"photos", "photos", false, "photos", "A folder with the photos as they came, and their captions."},
    CommandInput{"images", "images", false, "images", "A folder of PNGs."},
    CommandInput{"masks", "masks", false, "masks", "A folder of grey PNGs."},
    CommandInput{"captions", "captions", false, "captions", "A folder of .txt files, named as the photos are."},
    CommandInput{"pictures", "pictures", false, "pictures", "A folder of PNGs with their parameters."},
    CommandInput{"metrics", "metrics", false, "metrics.json", "A JSON file of numbers."},
    CommandInput{"loras", "lora", true, "lora.safetensors", "LoRA files: {in:loras} or {in:loras:1}, as with files."},
    CommandInput{"model", "model", false, "model", "A model's folder, as diffusers has it."},
};

inline constexpr std::string_view kFileOutput = "file", kMetricsOutput = "metrics";

}  // namespace atelier
