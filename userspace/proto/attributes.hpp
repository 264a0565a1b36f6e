#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ascii.hpp"

namespace timesink::proto {

/// Header fields and the like that the analysis needs by name, OpenTelemetry names ("http.request.header.traceparent",
/// "db.namespace"). Of few kinds: names are constants of the program, so that only values are copied.
using Attributes = std::vector<std::pair<std::string_view, std::string>>;

/// Of the first one of that name; empty: there is none.
inline std::string_view value_of(const Attributes& attributes, std::string_view name) {
    const auto found =
        std::find_if(attributes.begin(), attributes.end(), [name](const auto& attribute) { return attribute.first == name; });
    return found == attributes.end() ? std::string_view() : std::string_view(found->second);
}

/// The content coding (RFC 9110, 8.4.1) that the header field of that name tells, in small letters; empty: none, or `identity`.
inline std::string coding_of(const Attributes& attributes, std::string_view name) {
    std::string coding = lower(value_of(attributes, name));
    return coding == "identity" ? std::string() : coding;
}

}  // namespace timesink::proto
