// How CLIP cuts a text into pieces before byte-pair encoding. The only user of ICU.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace atelier::diffusion {

/// The pieces of a UTF-8 text, in order: Unicode form C, white space as single blanks, lower case (letter by letter, so
/// that no final sigma arises), then runs of letters, single digits, English contractions ('s 't 're 've 'm 'll 'd) and
/// runs of everything else. White space separates and is dropped. Bytes that are not UTF-8 count as U+FFFD.
/// Radford et al. 2021; the same as transformers 5.23's CLIPTokenizer.
std::vector<std::string> clip_pieces(std::string_view text);

}  // namespace atelier::diffusion
