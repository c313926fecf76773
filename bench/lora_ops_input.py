"""What bench/lora_ops.sh works on: LoRAs and a base of SD 1.5's published shapes, with random weights.

    python lora_ops_input.py loras RANK OUT …      LoRAs of all 264 layers, float32, in kohya's naming
    python lora_ops_input.py base TOKENIZER OUT    the whole model as a diffusers folder, float16
"""
import math, sys
import torch
from safetensors.torch import save_file
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

UNET = dict(sample_size=64, cross_attention_dim=768, attention_head_dim=8, block_out_channels=(320, 640, 1280, 1280))
VAE = dict(sample_size=512, layers_per_block=2, block_out_channels=(128, 256, 512, 512),
           down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
TEXT = dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, projection_dim=768,
            hidden_act="quick_gelu", vocab_size=49408, bos_token_id=49406, eos_token_id=49407, pad_token_id=49407)

UNET_LAYERS = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")
TEXT_LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
LAYERS = 264

B_STD = 0.01  # as after a training; A as torch begins with, so that its rows have norms of about 1


def empty_models():
    with torch.device("meta"):
        return UNet2DConditionModel(**UNET), AutoencoderKL(**VAE), CLIPTextModel(CLIPTextConfig(**TEXT))


def adapted(unet, text):
    """Names in kohya's naming, and the shapes of the weights."""
    for name, module in unet.named_modules():
        if name.endswith(UNET_LAYERS):
            yield "lora_unet_" + name.replace(".", "_"), module.weight.shape
    for name, module in text.named_modules():
        if name.endswith(TEXT_LAYERS):  # transformers 5 leaves text_model. out
            yield "lora_te_text_model_" + name.removeprefix("text_model.").replace(".", "_"), module.weight.shape


def write_loras(rank, paths):
    unet, _, text = empty_models()
    layers = dict(adapted(unet, text))
    assert len(layers) == LAYERS, f"{len(layers)} layers"
    for number, path in enumerate(paths):
        random = torch.Generator().manual_seed(number)
        tensors = {}
        for name, (outputs, inputs, *kernel) in layers.items():
            down = torch.randn(rank, inputs, *kernel, generator=random) / math.sqrt(inputs)
            up = torch.randn(outputs, rank, *[1] * len(kernel), generator=random) * B_STD
            alpha = torch.tensor(rank / 2 ** (number % 2))  # every other LoRA at half its factors' size
            tensors |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up, f"{name}.alpha": alpha}
        save_file(tensors, path)


def write_base(tokenizer, path):
    torch.manual_seed(7)
    unet, vae, text = (model.half().to_empty(device="cpu") for model in empty_models())
    with torch.no_grad():
        for model in unet, vae, text:
            for weight in model.parameters():
                weight.copy_(torch.randn(weight.shape) * 0.02)
            for name, buffer in model.named_buffers():
                if name.endswith("position_ids"):
                    buffer.copy_(torch.arange(buffer.shape[-1]))
    StableDiffusionPipeline(
        unet=unet, vae=vae, text_encoder=text, tokenizer=CLIPTokenizer.from_pretrained(tokenizer),
        scheduler=DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
                                set_alpha_to_one=False, steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False).save_pretrained(path)


if sys.argv[1] == "loras":
    write_loras(int(sys.argv[2]), sys.argv[3:])
else:
    write_base(*sys.argv[2:4])
