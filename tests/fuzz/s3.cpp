#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "s3/answer.hpp"
#include "s3/call.hpp"

/// Lines: method, target, host, signature, service, content type; what follows is an answer.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace timesink;
    std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto line = [&] {
        const std::string_view each = text.substr(0, text.find('\n'));
        text.remove_prefix(each.size() < text.size() ? each.size() + 1 : each.size());
        return each;
    };
    s3::Request request;
    for (std::string_view* part :
         {&request.method, &request.target, &request.host, &request.signature, &request.signed_service, &request.content_type}) {
        *part = line();
    }
    request.has_content_digest = size % 2 == 0;
    request.copies = size % 3 == 0;
    const auto call = s3::read_call(request);
    if (call && (call->operation.empty() || call->key.size() > s3::kLongestKey || (call->bucket.empty() && !call->key.empty()))) {
        std::abort();
    }
    if (s3::error_code(text).size() > s3::kLongestText || s3::element(text, "UploadId").size() > s3::kLongestText) {
        std::abort();
    }
    return 0;
}
