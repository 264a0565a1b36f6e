#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "genai/api.hpp"
#include "genai/facts.hpp"
#include "genai/inflate.hpp"

/// A document, whole and with its middle missing; and the same bytes as compressed ones.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace timesink;
    if (size < 2) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
    BoundedText cut(data[0] * 4, data[1]);
    cut.append(text);
    const genai::Facts whole = genai::read_facts(text);
    const genai::Facts parts = genai::read_facts(cut);
    for (const genai::Facts& facts : {whole, parts}) {
        if (facts.model.size() > genai::kLongestName || facts.type.size() > genai::kLongestName) {
            std::abort();
        }
    }
    (void)genai::is_spoken(genai::api_of("POST", text), whole, parts);
    for (const std::string_view encoding : {"gzip", "deflate", "zstd"}) {
        const auto inflated = genai::inflate(encoding, text);
        if (inflated && inflated->size() > genai::kMostInflated) {
            std::abort();
        }
    }
    return 0;
}
