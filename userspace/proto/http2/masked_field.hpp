#pragma once

#include <string>
#include <string_view>

namespace timesink::proto::http2 {

/// `raw`: the representation of a field in a header block (RFC 7541 section 6), size updates before it included, whose value is
/// `value`. The same with `masked`, of the same length, in its place: as many bytes, and an entry of a table that takes no more
/// room, so that whoever reads the block finds everything at its place. Indexed fields stay: what they name was masked when it
/// was added. A value in Huffman's code keeps its number of bits; where no text of that form has it, it becomes control
/// characters.
std::string masked_field(std::string_view raw, std::string_view value, std::string_view masked);

}  // namespace timesink::proto::http2
