#pragma once

#include "attribute/account.hpp"
#include "rules/rules.hpp"

namespace timesink::attribute {

/// A body in bulk, if its type is one of images, video, audio or octet-stream.
inline constexpr std::uint64_t kBulkBytes = std::uint64_t{64} * 1024;
/// A body in bulk, of other types than documents (text, JSON, XML, forms, gRPC), streams of events and what language models say.
inline constexpr std::uint64_t kLargeBytes = std::uint64_t{1024} * 1024;

/// Which bucket an exchange falls into by what it is: database protocols are db; object storage (S3) and HTTP bodies in bulk are
/// transfer; other HTTP, brokers, and what could not be decoded, is provider.
Bucket bucket_of(const request::Exchange& exchange);

/// Decides bucket, internal, rule and line: by the first of the user's rules that matches, else by what it is. `rules` may be
/// null.
void classify(OwnedExchange& owned, const rules::RuleSet* rules);

/// A body of this type is moved, not said: an image, video, audio, octet-stream.
bool is_bulk_type(std::string_view content_type);
/// The content type of the response, or of the request; empty: not told.
std::string_view content_type(const request::Exchange& exchange, proto::Direction direction);

/// It serves the making of a connection: a question for an address, or an attempt that came to nothing.
bool is_setup(const request::Exchange& exchange);

/// What served the making of a connection is of the bucket of what the connection was made for: the exchange with the host whose
/// name was asked for, else the next one of the unit that a new connection was made for; rules of the user's go ahead.
/// `exchanges`: of one unit.
void charge_setup(std::vector<OwnedExchange>& exchanges);

/// The causes of an exchange's parts, by its bucket.
struct ExchangeCauses {
    Cause connect;
    Cause queue;
    Cause first_byte;
    Cause body;
};
ExchangeCauses causes_of(const OwnedExchange& owned);

}  // namespace timesink::attribute
