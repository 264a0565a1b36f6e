#include "rules/rules.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

/// A file of rules, and a call of which all texts are what follows the first zero byte. An error is one line with its place.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace timesink;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::size_t zero = text.find('\0');
    const auto parsed = rules::RuleSet::parse(text.substr(0, zero), "r.toml");
    if (!parsed) {
        if (parsed.error().what.find('\n') != std::string::npos || parsed.error().what.rfind("r.toml", 0) != 0) {
            std::abort();
        }
        return 0;
    }
    const std::string_view said = zero == std::string_view::npos ? std::string_view() : text.substr(zero + 1, 256);
    const rules::Call call{.protocol = said,
                           .host = said,
                           .address = said,
                           .port = static_cast<std::uint16_t>(size),
                           .operation = said,
                           .method = said,
                           .route = said,
                           .type_in = said,
                           .type_out = said,
                           .bytes_in = size,
                           .bytes_out = size};
    if (parsed->match(call) > parsed->rules().size()) {
        std::abort();
    }
    return 0;
}
