#include "runtime/boringssl.hpp"

#include <Zydis/Zydis.h>

#include <array>
#include <cstdint>

namespace timesink::runtime {

namespace {

constexpr std::size_t kInstructionsLooked = 24;
constexpr std::int64_t kMost = 0xfff;
constexpr ZydisRegister kConnection = ZYDIS_REGISTER_RDI;

bool is_offset(std::int64_t value) {
    return value > 0 && value <= kMost;
}

}  // namespace

std::optional<RandomPlace> boringssl_random_place(std::span<const std::byte> code) {
    ZydisDecoder decoder;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisRegister part = ZYDIS_REGISTER_NONE;  // has the pointer
    std::uint16_t through = 0;
    for (std::size_t i = 0; i < kInstructionsLooked; ++i) {
        ZydisDecodedInstruction decoded;
        std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands{};
        if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code.data(), code.size(), &decoded, operands.data()))) {
            return std::nullopt;
        }
        code = code.subspan(decoded.length);
        const ZydisDecodedOperand& to = operands[0];
        const ZydisDecodedOperand& from = operands[1];
        const bool from_memory = from.type == ZYDIS_OPERAND_TYPE_MEMORY && from.mem.index == ZYDIS_REGISTER_NONE;
        if (decoded.mnemonic == ZYDIS_MNEMONIC_MOV && part == ZYDIS_REGISTER_NONE && from_memory &&
            from.mem.base == kConnection && is_offset(from.mem.disp.value)) {
            part = to.reg.value;
            through = static_cast<std::uint16_t>(from.mem.disp.value);
        } else if (part == ZYDIS_REGISTER_NONE) {
            continue;
        } else if (decoded.mnemonic == ZYDIS_MNEMONIC_ADD && to.type == ZYDIS_OPERAND_TYPE_REGISTER && to.reg.value == part &&
                   from.type == ZYDIS_OPERAND_TYPE_IMMEDIATE && is_offset(from.imm.value.s)) {
            return RandomPlace{static_cast<std::uint16_t>(from.imm.value.s), through};
        } else if (decoded.mnemonic == ZYDIS_MNEMONIC_LEA && from_memory && from.mem.base == part &&
                   is_offset(from.mem.disp.value)) {
            return RandomPlace{static_cast<std::uint16_t>(from.mem.disp.value), through};
        } else if (to.type == ZYDIS_OPERAND_TYPE_REGISTER && to.reg.value == part) {
            return std::nullopt;  // something else is in it now
        }
    }
    return std::nullopt;
}

}  // namespace timesink::runtime
