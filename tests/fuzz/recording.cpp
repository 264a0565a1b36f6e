#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "capture/reader.hpp"

/// The reader on any file. Half of the inputs get right checksums first (even first byte): otherwise nothing behind the checks
/// would ever be reached.
namespace {

using namespace timesink::capture;

void repair(std::string& file) {
    if (file.size() < sizeof(FileHeader)) {
        return;
    }
    FileHeader header{};
    std::memcpy(&header, file.data(), sizeof(header));
    header.magic = kFileMagic;
    header.major = kMajor;
    header.abi_major = TS_ABI_MAJOR;
    header.crc = crc_up_to(header, header.crc);
    std::memcpy(file.data(), &header, sizeof(header));
    std::size_t at = sizeof(header);
    while (file.size() - at >= sizeof(SectionHeader)) {
        SectionHeader section{};
        std::memcpy(&section, file.data() + at, sizeof(section));
        section.magic = kSectionMagic;
        const std::size_t left = file.size() - at - sizeof(section);
        section.stored_bytes = static_cast<std::uint32_t>(left == 0 ? 0 : section.stored_bytes % (left + 1));
        const auto payload = std::as_bytes(std::span(file)).subspan(at + sizeof(section), section.stored_bytes);
        section.payload_crc = crc_of(payload);
        section.header_crc = crc_up_to(section, section.header_crc);
        std::memcpy(file.data() + at, &section, sizeof(section));
        at += sizeof(section) + section.stored_bytes;
    }
    if (file.size() - at == sizeof(Trailer)) {
        Trailer trailer{};
        std::memcpy(&trailer, file.data() + at, sizeof(trailer));
        trailer.magic = kEndMagic;
        trailer.crc = crc_up_to(trailer, trailer.crc);
        std::memcpy(file.data() + at, &trailer, sizeof(trailer));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    std::string file(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] % 2 == 0) {
        repair(file);
    }
    static const int descriptor = memfd_create("recording", MFD_CLOEXEC);
    if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, file.data(), file.size(), 0) != static_cast<ssize_t>(file.size())) {
        std::abort();
    }
    auto reader = Reader::open("/proc/self/fd/" + std::to_string(descriptor));
    if (!reader) {
        return 0;
    }
    while (reader->next_events()) {
    }
    if (reader->ending().kind != Ending::Kind::complete && reader->ending().reason.empty()) {
        std::abort();
    }
    for (const auto kind : {SectionKind::host, SectionKind::drops, SectionKind::events}) {
        (void)reader->facts(kind).ok();
    }
    return 0;
}
