import { openHttpGateway } from '../support/http-gateway';
import { billerGatewayContract } from './biller-gateway.contract';

billerGatewayContract('axios over undici', async () => openHttpGateway({}));
