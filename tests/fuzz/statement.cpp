#include "request/statement.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

/// A shape holds no more than its text, and no text makes the lexer run on.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto shape = timesink::request::shape_of_sql(text);
    const auto redis = timesink::request::shape_of_redis("GET", text);
    if (shape.text.size() > 2 * size + 8 || redis.fingerprint == 0) {
        std::abort();
    }
    return 0;
}
