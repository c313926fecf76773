// report: text for a page: escaped, and figures as people read them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace atelier {

// For text and for attributes in double quotes. Bytes that are no UTF-8 and control characters become U+FFFD.
std::string escaped(std::string_view text);

std::string show_count(std::size_t n);                                           // "1 234", with thin spaces
std::string show_moment(double seconds_since_epoch);                             // "2026-11-30 04:58:31 UTC"
std::string show_number(double value);                                           // "0.0123", "1.2e-05"
std::string plural(std::size_t n, std::string_view one, std::string_view many);  // "1 task", "1 234 tasks"

// "c-" and the id with all but letters, digits and '-' as hexadecimal: an id for an element that no two texts share.
std::string anchor(std::string_view prefix, std::string_view text);

// A path as a link in a page: percent-encoded but for '/'.
std::string link_to(std::string_view path);

}  // namespace atelier
