// report: how the page looks, light and dark.
#pragma once
#include <string_view>

namespace atelier {

std::string_view page_style();  // CSS

}  // namespace atelier
