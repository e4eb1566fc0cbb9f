"""The study that this project started from, as it trains: its images, network, optimizer and loop, nothing of ours.

Where the study harms itself the benchmark is kinder: validation sees images as they are, with dropout off.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image
from sklearn.metrics import f1_score
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

SIZE, BATCH, EPOCHS, RATE = 256, 64, 60, 3e-4
PLAIN = transforms.Compose([transforms.Resize((SIZE, SIZE)), transforms.ToTensor()])
AUGMENTED = transforms.Compose(
    [
        transforms.Resize((SIZE, SIZE)),
        transforms.RandomHorizontalFlip(),
        transforms.RandomVerticalFlip(),
        transforms.RandomRotation(30),
        transforms.ToTensor(),
    ]
)


class Folder(Dataset[tuple[torch.Tensor, int]]):
    """Files and classes, decoded by Pillow to colour each time."""

    def __init__(self, files: Sequence[tuple[Path, int]], transform: transforms.Compose) -> None:
        self.files, self.transform = files, transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        path, label = self.files[row]
        return self.transform(Image.open(path).convert("RGB")), label


def network() -> nn.Module:
    """Four convolutions, 1,279,230 parameters, log-probabilities of two classes."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 8), (8, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(inputs, outputs, 3), nn.ReLU(), nn.MaxPool2d(2)]
    hidden = [nn.Flatten(), nn.Linear(64 * 14 * 14, 100), nn.ReLU(), nn.Dropout(0.25), nn.Linear(100, 2)]
    return nn.Sequential(*layers, *hidden, nn.LogSoftmax(dim=1))


def train(
    training: Sequence[tuple[Path, int]], validation: Sequence[tuple[Path, int]], seed: int = 0
) -> Iterator[tuple[float, float]]:
    """Train epoch by epoch; yields seconds since the start and validation macro-F1 after each."""
    torch.manual_seed(seed)
    started = time.perf_counter()
    loaders = [
        DataLoader(Folder(training, AUGMENTED), BATCH, shuffle=True, num_workers=2),
        DataLoader(Folder(validation, PLAIN), BATCH, num_workers=2),
    ]
    model, loss = network(), nn.NLLLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        model.train()
        for images, labels in loaders[0]:
            optimizer.zero_grad()
            loss(model(images), labels).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            found = [(model(images).argmax(1), labels) for images, labels in loaders[1]]
        predicted, labels = (torch.cat(column) for column in zip(*found, strict=True))
        yield time.perf_counter() - started, float(f1_score(labels, predicted, average="macro"))
