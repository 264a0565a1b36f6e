"""The statements of three_uvicorn.py as a service with an object mapper makes them: FastAPI, SQLAlchemy's AsyncSession from a dependency, mapped classes, a
checked response model. A session begins a transaction and rolls it back: two statements more."""

import contextlib
import datetime
import os
from typing import Annotated

import pydantic
from fastapi import Depends, FastAPI, HTTPException, Request
from sqlalchemy import Double, cast, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str]


class Purchase(Base):
    __tablename__ = "purchase"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    placed: Mapped[datetime.datetime]


class Product(Base):
    __tablename__ = "product"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[float]


@contextlib.asynccontextmanager
async def lifespan(app):
    engine = create_async_engine(os.environ["BENCH_POSTGRES"].replace("postgresql://", "postgresql+asyncpg://"), pool_size=8, max_overflow=0)
    app.state.sessions = async_sessionmaker(engine)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


class ShownPurchase(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(from_attributes=True)
    id: int
    placed: datetime.datetime


class Dashboard(pydantic.BaseModel):
    name: str
    email: str
    purchases: list[ShownPurchase]
    price: float | None


async def session(request: Request):
    async with request.app.state.sessions() as opened:
        yield opened


@app.get("/three/{number}")
async def dashboard(number: int, database: Annotated[AsyncSession, Depends(session)]) -> Dashboard:
    customer = await database.get(Customer, number)
    if customer is None:
        raise HTTPException(404)
    purchases = await database.scalars(select(Purchase).where(Purchase.customer_id == number).limit(5))
    price = await database.scalar(select(cast(Product.price, Double)).where(Product.id == number))
    return Dashboard(name=customer.name, email=customer.email, purchases=[ShownPurchase.model_validate(row) for row in purchases], price=price)
