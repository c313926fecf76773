// schema: what the schemas of both files have.
#pragma once
#include <string>

#include "schema/param_schema.h"

namespace atelier {

// A map with these keys and no others.
Schema map_of(Schema properties, std::vector<std::string> required = {});
// A map from names to what the schema says.
Schema map_from_names(Schema of_each);
// With a description before the rest. In draft 7 nothing may stand beside a `$ref`, so one is wrapped.
Schema described(const std::string& description, Schema schema);
Schema reference_to(const std::string& definition);

// A value without templates: a boolean, a number, a text, or a list of such. Refers to the definition `value`.
Schema value_definition();
// A text that is taken as it is written: a number in it needs no quotes.
Schema written_text();

// `atelier: 1` and the rest that the file begins with.
Schema file_head(const std::string& title, const std::string& description);
Schema format_version_schema();

}  // namespace atelier
