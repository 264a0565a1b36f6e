#pragma once

#include "attribute/account.hpp"

namespace timesink::attribute {

/// Which bucket an exchange falls into, by what it is: database protocols are db; HTTP bodies in bulk (image, video, audio,
/// octet-stream of kBulkBytes or more) are transfer; other HTTP, brokers, and what could not be decoded, is provider.
inline constexpr std::uint64_t kBulkBytes = std::uint64_t{64} * 1024;
Bucket bucket_of(const request::Exchange& exchange);

/// The causes of an exchange's parts, by its bucket.
struct ExchangeCauses {
    Cause connect;
    Cause queue;
    Cause first_byte;
    Cause body;
};
ExchangeCauses causes_of(Bucket bucket);

}  // namespace timesink::attribute
